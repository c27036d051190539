"""Frames to the last byte; what `Last-Event-ID` and mode filters mean."""

import pytest

from robyn_server.resources.event import START, EventId, RunEvent
from robyn_server.wire.sse import HEARTBEAT, ResumePoint, frame, frame_of, mode_filter, read_last_event_id


def test_frame_bytes() -> None:
    event = RunEvent(EventId(1795158776953, 4), "r", 1, "values", b'{"a":1}', resumable=True)
    assert frame(event, with_id=False) == b'event: values\r\ndata: {"a":1}\r\n\r\n'
    assert frame(event, with_id=True) == b'event: values\r\ndata: {"a":1}\r\nid: 1795158776953-4\r\n\r\n'


def test_a_frame_is_made_once_for_all_readers() -> None:
    event = RunEvent(EventId(1, 0), "r", 1, "values", b"{}")
    assert frame(event, with_id=True) is frame(event, with_id=True)
    assert frame(event, with_id=False) is frame(event, with_id=False)


def test_names_may_be_any_unicode() -> None:
    assert (
        frame_of("updates|knoten-ä:1", b"null") == "event: updates|knoten-ä:1\r\ndata: null\r\n\r\n".encode()
    )
    assert HEARTBEAT == b": heartbeat\r\n\r\n"


@pytest.mark.parametrize("text", ["-", "0", "0-0", "-1"])
def test_spellings_of_the_start(text: str) -> None:
    assert read_last_event_id(text) == ResumePoint("after", START)


@pytest.mark.parametrize("text", [None, ""])
def test_no_header_means_from_now_on(text: str | None) -> None:
    assert read_last_event_id(text).kind == "tail"


@pytest.mark.parametrize("text", ["zzz", "5", "5-", "-5", "5-x", "５-0", "1-2-3", "1" * 30 + "-0"])
def test_garbage(text: str) -> None:
    assert read_last_event_id(text).kind == "garbage"


def test_an_id() -> None:
    assert read_last_event_id("1795158776953-4") == ResumePoint("after", EventId(1795158776953, 4))


@pytest.mark.parametrize(
    ("modes", "shown", "hidden"),
    [
        ((), ["metadata", "values", "error", "updates|a:1"], []),
        (("updates",), ["updates", "updates|a:1|b:2"], ["values", "metadata", "error", "messages"]),
        (("messages",), ["messages", "messages/partial", "messages|a:1", "messages/metadata"], ["metadata"]),
        (("messages-tuple",), ["messages", "messages/complete", "messages|a:1"], ["values", "error"]),
        (("values", "error", "metadata"), ["values", "values|a:1", "error", "metadata"], ["updates"]),
        (("values,updates",), [], ["values", "updates"]),
    ],
)
def test_mode_filter(modes: tuple[str, ...], shown: list[str], hidden: list[str]) -> None:
    shows = mode_filter(modes)
    assert [name for name in shown + hidden if shows(name)] == shown
