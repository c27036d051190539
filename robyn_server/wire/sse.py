"""Server-sent events: frames out, `Last-Event-ID` and mode filters in. Pure."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Literal

from robyn_server.resources.event import START, EventId, RunEvent

HEARTBEAT = b": heartbeat\r\n\r\n"
_FROM_THE_START = frozenset({"-", "0", "0-0", "-1"})


def frame(event: RunEvent, with_id: bool) -> bytes:
    """The bytes of an entry of the log, made once and kept with it for all readers."""
    if with_id:
        if event.id_frame is None:
            event.id_frame = frame_of(event.event, event.data, str(event.id))
        return event.id_frame
    if event.plain_frame is None:
        event.plain_frame = frame_of(event.event, event.data)
    return event.plain_frame


def frame_of(name: str, data: bytes, event_id: str | None = None) -> bytes:
    """The bytes of an event that is in no log. `data` is JSON in one line."""
    if event_id is None:
        return b"event: %b\r\ndata: %b\r\n\r\n" % (name.encode(), data)
    return b"event: %b\r\ndata: %b\r\nid: %b\r\n\r\n" % (name.encode(), data, event_id.encode())


@dataclass(frozen=True, slots=True)
class ResumePoint:
    """Where a reader wants to go on.

    `tail`: no header, only what comes from now on. `after`: what follows `after`; `START` replays a run from
    its first event. `garbage`: the header spells no id; a run stream then gives nothing, a thread stream
    answers 422.
    """

    kind: Literal["tail", "after", "garbage"]
    after: EventId = START


def read_last_event_id(text: str | None) -> ResumePoint:
    """What a `Last-Event-ID` header says; an empty one is none."""
    if not text:
        return ResumePoint("tail")
    if text in _FROM_THE_START:
        return ResumePoint("after")
    event_id = EventId.parse(text)
    return ResumePoint("garbage") if event_id is None else ResumePoint("after", event_id)


def mode_filter(modes: Collection[str]) -> Callable[[str], bool]:
    """Which event names a joiner who asked for `modes` is shown; all of them when it asked for none.

    `updates` shows `updates|child:1` too, `messages` and `messages-tuple` whatever starts with `messages`.
    `metadata` and `error` are modes of their own here: a filter that does not name them hides those events.
    """
    if not modes:
        return lambda name: True
    shown = frozenset(modes)
    shows_messages = not shown.isdisjoint(("messages", "messages-tuple"))

    def shows(name: str) -> bool:
        mode = name.partition("|")[0]
        return mode in shown or (shows_messages and mode.startswith("messages"))

    return shows
