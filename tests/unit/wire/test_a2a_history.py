"""Conversations, tasks and cards as A2A tells them."""

from typing import Any

from robyn_server.resources.types import JsonObject
from robyn_server.wire.a2a.card import agent_card
from robyn_server.wire.a2a.dialect import CAMELS, SLASHES
from robyn_server.wire.a2a.history import Scope, Teller, parts_of
from robyn_server.wire.a2a.task import TaskName, interrupt_artifact, response_parts

NAME = TaskName(CAMELS, "c:r", "c", "a")


def human(text: str, start: str | None = None) -> JsonObject:
    marks = {"a2a": {"task_start_id": start}} if start else {}
    return {"type": "human", "id": text, "content": text, "additional_kwargs": marks}


def ai(content: Any, **more: Any) -> JsonObject:
    return {"type": "ai", "id": str(content), "content": content, **more}


VALUES = {
    "messages": [
        {"type": "system", "content": "rules"},
        human("first", "s1"),
        ai("one"),
        human("second", "s2"),
        ai("", tool_calls=[{"name": "f"}]),
        {"type": "tool", "id": "t", "content": "42", "name": "f", "tool_call_id": "x", "status": "success"},
        ai("two"),
    ]
}


def told(scope: Scope = "context", length: int | None = None) -> list[tuple[str, str]]:
    teller = Teller(SLASHES, "c", "c:r2", {"s1": "c:r1", "s2": "c:r2"}, scope, length)
    return [(message["messageId"], message["taskId"]) for message in teller.history(VALUES)]


def test_each_message_belongs_to_the_task_that_began_before_it() -> None:
    assert told() == [("first", "c:r1"), ("one", "c:r1"), ("second", "c:r2"), ("t", "c:r2"), ("two", "c:r2")]


def test_scope_and_length() -> None:
    assert [name for name, _ in told("task")] == ["second", "t", "two"]
    assert [name for name, _ in told(length=2)] == ["t", "two"]


def test_values_without_messages_have_no_history() -> None:
    teller = Teller(SLASHES, "c", "c:r", {})
    for values in (None, {}, {"messages": "words"}, {"messages": [1, {"content": "x"}]}):
        assert teller.history(values) == []


def test_parts_of_messages() -> None:
    blocks = [
        "a",
        {"type": "text", "text": "b"},
        {"type": "image", "base64": "aG k", "mime_type": "image/png"},
        {"type": "image_url", "image_url": {"url": "http://x"}},
        {"type": "file", "url": "http://y", "extras": {"filename": "y.pdf"}},
    ]
    assert parts_of(ai(blocks)) == [
        {"kind": "text", "text": "ab"},
        {"kind": "file", "file": {"bytes": "aGk=", "mimeType": "image/png"}},
        {"kind": "file", "file": {"uri": "http://y", "name": "y.pdf"}},
    ]
    assert parts_of(ai("")) == [] and parts_of(human("")) == [{"kind": "text", "text": ""}]


def test_the_response_is_the_last_word_or_all_values() -> None:
    assert response_parts(VALUES) == [{"kind": "text", "text": "two"}]
    assert response_parts({"messages": [human("x")]}) == [{"kind": "text", "text": ""}]
    assert response_parts({"n": None}) == [{"kind": "text", "text": "{'n': None}"}]


def test_documents() -> None:
    status = NAME.status("failed", None, NAME.says([]))
    assert status["state"] == "TASK_STATE_FAILED" and "timestamp" not in status
    assert status["message"]["role"] == "ROLE_AGENT" and status["message"]["contextId"] == "c"
    assert "history" not in NAME.document(status, None)
    opened = NAME.submitted({"role": "ROLE_USER", "parts": []}, "now")["task"]
    assert opened["history"] == [
        {"kind": "message", "role": "ROLE_USER", "parts": [], "taskId": "c:r", "contextId": "c"}
    ]
    artifact = interrupt_artifact([{"id": "i", "value": 1, "response_schema": None}])
    assert artifact["parts"] == [{"kind": "data", "data": {"id": "i", "value": 1}}]


def test_a_card() -> None:
    schema = {"properties": {"messages": {}, "count": {}}, "required": ["messages"]}
    card = agent_card("a", "Ada", None, schema, "http://h/a2a/a", "1")
    assert (card["description"], card["url"], card["version"]) == ("Ada assistant", "http://h/a2a/a", "1")
    assert card["skills"][0]["metadata"]["inputSchema"] == {
        "required": ["messages"],
        "properties": ["count", "messages"],
        "supportsA2A": True,
    }
