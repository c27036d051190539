"""Calls, messages and parts as clients send them."""

import pytest

from robyn_server.resources.types import Json, JsonObject
from robyn_server.wire.a2a.dialect import CAMELS, METHODS, SLASHES, read_state
from robyn_server.wire.a2a.incoming import (
    Content,
    message_object,
    read_call,
    read_content,
    read_history_length,
    read_message,
)
from robyn_server.wire.jsonrpc import RpcError

TEXT = {"kind": "text", "text": "hi"}
IMAGE = {"kind": "file", "file": {"bytes": "aGk=", "mimeType": "image/png", "name": "a.png"}}


def content(*parts: Json, role: str = "user") -> Content:
    return read_content(read_message({"messageId": "m", "role": role, "parts": list(parts)}), "start")


def refused(*parts: Json) -> tuple[int, str]:
    with pytest.raises(RpcError) as refusal:
        content(*parts)
    return refusal.value.code, refusal.value.message


def test_both_dialects_have_the_same_verbs() -> None:
    slashes = {verb for verb, dialect in METHODS.values() if dialect is SLASHES}
    camels = {verb for verb, dialect in METHODS.values() if dialect is CAMELS}
    assert slashes == {"send", "stream", "get", "cancel"} and camels == slashes | {"list", "card"}
    assert (SLASHES.state("input-required"), CAMELS.state("input-required")) == (
        "input-required",
        "TASK_STATE_INPUT_REQUIRED",
    )
    assert read_state("TASK_STATE_COMPLETED") == read_state("completed") == "completed"
    assert read_state("COMPLETED") is None


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ([], -32600),
        ({"jsonrpc": "2.0"}, -32600),
        ({"jsonrpc": "1.0", "id": 1, "method": "tasks/get"}, -32600),
        ({"jsonrpc": "2.0", "id": None, "method": "tasks/get"}, -32600),
        ({"jsonrpc": "2.0", "id": 1, "method": 5}, -32601),
        ({"jsonrpc": "2.0", "id": 1, "method": "tasks/resubscribe"}, -32601),
    ],
)
def test_calls_that_cannot_be_read(body: Json, code: int) -> None:
    with pytest.raises(RpcError) as refusal:
        read_call(body)
    assert refusal.value.code == code


def test_a_response_needs_no_answer_and_a_notification_gets_one() -> None:
    assert read_call({"jsonrpc": "2.0", "id": 1, "result": {}}) is None
    call = read_call({"jsonrpc": "2.0", "method": "tasks/get"})
    assert call is not None and call.call_id is None and call.parameters() == {}


@pytest.mark.parametrize(
    "params",
    [{}, {"message": "x"}, {"message": {}, "configuration": 5}, {"message": {"parts": {"a": 1}}}],
)
def test_parameters_without_a_message(params: JsonObject) -> None:
    with pytest.raises(RpcError, match="message|configuration|parts"):
        message_object(params)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"messageId": None}, "Missing required 'messageId' in message"),
        ({"role": ""}, "Missing required 'role' in message"),
        ({"parts": []}, "Message must contain at least one part"),
        ({"taskId": 5}, "taskId must be a string"),
        ({"contextId": 5}, "contextId must be a string"),
    ],
)
def test_messages_that_lack_something(change: JsonObject, text: str) -> None:
    with pytest.raises(RpcError, match=text):
        read_message({"messageId": "m", "role": "user", "parts": [TEXT], **change})


def test_texts_are_one_message_each() -> None:
    said = content(TEXT, {"text": "there"})
    mark = {"a2a": {"task_start_id": "start"}}
    assert said.input() == {
        "messages": [
            {"role": "human", "id": "m", "additional_kwargs": mark, "content": "hi"},
            {"role": "human", "id": "m", "additional_kwargs": mark, "content": "there"},
        ]
    }
    assert said.resume() == "hi\nthere"


def test_with_a_file_all_parts_are_one_message() -> None:
    (message,) = content(TEXT, IMAGE, role="agent").messages
    assert message["role"] == "assistant"
    assert message["content"] == [
        {"type": "text", "text": "hi"},
        {"type": "image", "base64": "aGk=", "mime_type": "image/png", "extras": {"filename": "a.png"}},
    ]


def test_data_is_input_and_may_answer_an_interrupt() -> None:
    said = content({"data": {"count": 5}}, {"data": {"resume": False}})
    assert (said.input(), said.needs_messages, said.resume()) == ({"count": 5, "resume": False}, False, False)
    assert content({"data": {"resume": None}}).resume() is None


@pytest.mark.parametrize(
    ("part", "code"),
    [
        ("x", -32005),
        ({}, -32005),
        ({"text": "x", "data": {}}, -32005),
        ({"data": "x"}, -32005),
        ({"data": {}}, -32005),
        ({"file": "x"}, -32005),
        ({"file": {}}, -32005),
        ({"file": {"uri": "http://x", "bytes": "aGk="}}, -32005),
        ({"file": {"bytes": "!!"}}, -32006),
        ({"file": {"bytes": 5}}, -32006),
        ({"file": {"uri": ""}}, -32006),
        ({"file": {"uri": "x", "mimeType": 5}}, -32006),
    ],
)
def test_parts_that_are_refused(part: Json, code: int) -> None:
    assert refused(part)[0] == code


def test_history_lengths() -> None:
    assert [read_history_length(params) for params in ({}, {"historyLength": 0}, {"historyLength": 10})] == [
        None, 0, 10,
    ]  # fmt: skip
    for bad in (-1, 11, "1", True):
        with pytest.raises(RpcError, match="historyLength"):
            read_history_length({"historyLength": bad})
