"""Nouns as JSON, keys in order."""

from datetime import UTC, datetime

import orjson
import pytest

from robyn_server.errors import Unprocessable
from robyn_server.resources.clock import iso
from robyn_server.resources.page import Page
from robyn_server.resources.thread import Thread
from robyn_server.surfaces.langgraph.documents import thread_document
from robyn_server.surfaces.langgraph.extraction import check_extract, extracted
from robyn_server.surfaces.langgraph.reading import bad_label, paging
from robyn_server.web.routing import Reply

MOMENT = datetime(2026, 11, 20, 7, 12, 31, tzinfo=UTC)


def thread(**more: object) -> Thread:
    fields = {
        "thread_id": "t", "status": "idle", "metadata": {}, "config": {}, "values": None, "interrupts": {},
        "error": None, "created_at": MOMENT, "updated_at": MOMENT, "state_updated_at": MOMENT, "settled": False,
    }  # fmt: skip
    return Thread(**{**fields, **more})  # type: ignore[arg-type]


def test_a_fresh_thread_has_eight_keys():
    assert list(thread_document(thread())) == [
        "thread_id", "created_at", "updated_at", "state_updated_at", "metadata", "status", "config", "values",
    ]  # fmt: skip


def test_values_are_written_out_as_stored():
    document = thread_document(thread(values=b'{"n":1e3}', settled=True))
    encoded = orjson.dumps(document)
    assert b'"values":{"n":1e3},"error":null,"interrupts":{}' in encoded
    assert b'"created_at":"2026-11-20T07:12:31+00:00"' in encoded


@pytest.mark.parametrize(
    "moment", [MOMENT, MOMENT.replace(microsecond=5), MOMENT.replace(microsecond=120_000)]
)
def test_times_are_spelled_as_everywhere_else(moment: datetime) -> None:
    body = orjson.loads(Reply.json(thread_document(thread(updated_at=moment))).body)
    assert body["updated_at"] == iso(moment)


def test_a_copy_shows_no_values():
    assert "values" not in thread_document(thread(copied=True))


def test_paging_headers():
    assert paging(Page((1, 2), True), 2, 4) == {"x-pagination-total": "7", "x-pagination-next": "6"}
    assert paging(Page((1,), False), 2, 4) == {"x-pagination-total": "5"}
    assert paging(Page((), False), 2, 9) == {"x-pagination-total": "9"}


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("values.log[0]", "one"),
        ("values.log[-1]", "two"),
        ("values.log[9]", None),
        ("values.log.0", None),
        ("values.log[x]", None),
        ("values.log[0", None),
        ("values..count", None),
        ("values._hidden", None),
        ("values[0]", None),
        ("values.", {"log": ["one", "two"], "_hidden": 1, "count": 2}),
        ("values.count.z", None),
        ("metadata.deep.x", 3),
    ],
)
def test_extract(path: str, found: object):
    values = orjson.dumps({"log": ["one", "two"], "_hidden": 1, "count": 2})
    whole = thread(values=values, metadata={"deep": {"x": 3}})
    assert extracted(whole, {"a": path}) == {"a": found}


@pytest.mark.parametrize(
    ("extract", "text"),
    [
        (
            {"a": "valuesx"},
            "Extract path 'valuesx' must start with one of: config, interrupts, metadata, values",
        ),
        ({"é": "values"}, "Extract key 'é' must be a valid identifier (letters, digits, underscores)"),
        (
            {"values": "values", "status": "values"},
            "Extract keys cannot use reserved field names: ['status', 'values']",
        ),
        ({"a": ""}, "Extract path for 'a' must be a non-empty string"),
    ],
)
def test_extract_refusals(extract: dict[str, str], text: str):
    with pytest.raises(Unprocessable) as refused:
        check_extract(extract)
    assert refused.value.message == text


def test_namespace_labels():
    refusal = bad_label(["a"], None, ["b.c"])
    assert refusal is not None and (refusal.status, refusal.content_type) == (422, None)
    assert refusal.body == b"Namespace label 'b.c' must be a non-empty string without periods"
    assert bad_label(["a"], ["*"]) is None
