"""The encoder says what the reference says, without `model_dump` where that is not needed."""

import collections
import dataclasses
import datetime
import decimal
import enum
import ipaddress
import json
import pathlib
import re
import uuid
from typing import Any, NamedTuple

import pydantic
import pytest
from langchain_core import messages
from langgraph.types import Command, Interrupt, Send

from robyn_server.resources.encoding import EncodedOnce, encode


class Model(pydantic.BaseModel):
    a: int = 1
    when: datetime.datetime = datetime.datetime(2026, 1, 2)
    some: set[int] = {1}
    hidden: int = pydantic.Field(2, exclude=True)
    other_name: int = pydantic.Field(3, alias="alias")


class Point(NamedTuple):
    x: int
    y: str


class OwnTuple(tuple[int, ...]):
    pass


@dataclasses.dataclass(slots=True)
class Data:
    x: int
    y: Any = None
    _private: int = 3


class Colour(enum.Enum):
    RED = "red"


class Opaque(enum.Enum):
    A = object()


class Sayer:
    def dict(self) -> dict[str, int]:
        return {"said": 1}


class BadDump:
    def model_dump(self) -> None:
        raise RuntimeError("no")


ZERO = "00000000-0000-0000-0000-000000000005"
QUESTION = messages.HumanMessage("q", id="1")
QUESTION_JSON = (
    '{"content":"q","additional_kwargs":{},"response_metadata":{},"type":"human","name":null,"id":"1"}'
)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ((1, 2), "[1,2]"), ({5}, "[5]"), (frozenset([6]), "[6]"), (collections.deque([1]), "[1]"),
        (OwnTuple([1]), "[1]"), (Point(1, "y"), '{"x":1,"y":"y"}'),
        (Data(1, [Data(2)]), '{"x":1,"y":[{"x":2,"y":null}]}'),
        (b"abc", '"YWJj"'), (bytearray(b"abc"), '"YWJj"'), (memoryview(b"abc"), "null"),
        (uuid.UUID(int=5), f'"{ZERO}"'), (datetime.date(2026, 1, 2), '"2026-01-02"'),
        (datetime.datetime(2026, 1, 2, tzinfo=datetime.UTC), '"2026-01-02T00:00:00+00:00"'),
        (datetime.timedelta(seconds=90, microseconds=5), "90.000005"),
        (decimal.Decimal("1.50"), "1.5"), (decimal.Decimal("3"), "3"), (decimal.Decimal("NaN"), "null"),
        (float("nan"), "null"), (float("inf"), "null"), (2**64 - 1, "18446744073709551615"),
        (pathlib.Path("/a/b"), '"/a/b"'), (ipaddress.ip_address("1.2.3.4"), '"1.2.3.4"'),
        (re.compile("a+"), '"a+"'),
        (Colour.RED, '"red"'), (Opaque.A, "null"), (Sayer(), '{"said":1}'),
        (object(), "null"), (Model, "null"), (len, "null"), (range(3), "null"),
        ({1: 2}.keys(), "null"), (1 + 2j, "null"),
        (ValueError("bad"), '{"error":"ValueError","message":"bad"}'),
        (OSError("bad"), '{"error":"OSError","message":"An internal error occurred"}'),
        (Model(alias=4), '{"a":1,"when":"2026-01-02T00:00:00","some":[1],"other_name":4}'),
        (Interrupt(value={"a": 1}, id="abc"), '{"value":{"a":1},"id":"abc","response_schema":null}'),
        (Send("node", {"m": QUESTION}), '{"node":"node","args":{"m":' + QUESTION_JSON + "}}"),
        (Command(update={"a": 1}, goto="x"), '{"graph":null,"update":{"a":1},"resume":null,"goto":"x"}'),
        ({1: "a", 1.5: "b", None: "c", uuid.UUID(int=5): "d", Colour.RED: "e"},
         '{"1":"a","1.5":"b","null":"c","' + ZERO + '":"d","red":"e"}'),
        ({True: "a"}, '{"true":"a"}'),
        ([[[object()]]], "[[[null]]]"), ("😀é\u2028", '"😀é\u2028"'),
    ],
)  # fmt: skip
def test_values(value: Any, text: str) -> None:
    assert encode(value).decode() == text


@pytest.mark.parametrize("value", [2**70, {(1, 2): 1}, {b"a": 1}, BadDump()])
def test_what_json_cannot_say_is_a_type_error(value: Any) -> None:
    with pytest.raises(TypeError):
        encode({"deep": [value]})


@pytest.mark.parametrize(
    ("text", "encoded"),
    [
        ("a\x00b", '"a\\ufffdb"'), ("\x00\x00", '"\\ufffd\\ufffd"'), ("\\\x00", '"\\\\\\ufffd"'),
        ("\\u0000", '"\\\\u0000"'), ("\\\\u0000\x00", '"\\\\\\\\u0000\\ufffd"'),
        ("a\ud800b", '"a?b"'), ("\ud83d\ude00", '"??"'),
    ],
)  # fmt: skip
def test_odd_characters(text: str, encoded: str) -> None:
    assert encode(text).decode() == encoded
    assert encode({"k": [text]}).decode() == '{"k":[' + encoded + "]}"


def test_surrogates_are_found_wherever_they_hide() -> None:
    bad = "a\ud800"
    value = {
        bad: bad, 1: (bad,), "m": messages.HumanMessage(bad, id="1"), "d": Data(1, bad), "n": Point(1, bad),
        "p": Model(), "e": Colour.RED, "x": ValueError(bad), "t": datetime.date(2026, 1, 2), "s": {1}, "o": object(),
    }  # fmt: skip
    told = json.loads(encode(value))
    assert (told["a?"], told["1"], told["m"]["content"], told["d"]) == (
        "a?",
        ["a?"],
        "a?",
        {"x": 1, "y": "a?"},
    )
    assert (told["n"], told["x"]["message"], told["t"], told["s"]) == (
        {"x": 1, "y": "a?"}, "a?", "2026-01-02", [1],
    )  # fmt: skip


CALL = {"name": "t", "args": {"a": (1, 2)}, "id": "1", "type": "tool_call"}
PIECE = {"name": "t", "args": "{", "id": "1", "index": 0, "type": "tool_call_chunk"}
USAGE: Any = {
    "input_tokens": 1,
    "output_tokens": 2,
    "total_tokens": 3,
    "input_token_details": {"cache_read": 1},
}
EVERY_MESSAGE = [
    messages.AIMessage("x", tool_calls=[CALL], usage_metadata=USAGE, response_metadata={"m": "n"}, name="n"),
    messages.AIMessage([{"type": "text", "text": "t", "index": 0}], id="1"),
    messages.AIMessage(
        "x", additional_kwargs={"tool_calls": [{"id": "1", "function": {"name": "f", "arguments": "{"}}]}
    ),
    messages.AIMessage("x", unknown=1, example=True),
    messages.AIMessageChunk("x", reasoning="r", usage_metadata=USAGE),
    messages.AIMessageChunk("", tool_call_chunks=[PIECE], chunk_position="last"),
    messages.HumanMessage("q", id="1", name="ann"), messages.HumanMessageChunk("q"),
    messages.SystemMessage("s"), messages.SystemMessageChunk("s"),
    messages.ToolMessage("q", tool_call_id="1", artifact={"a": Model()}, status="error"),
    messages.ToolMessageChunk("q", tool_call_id="1"),
    messages.FunctionMessage(name="f", content="q"), messages.FunctionMessageChunk(name="f", content="q"),
    messages.ChatMessage(role="r", content="q"), messages.ChatMessageChunk(role="r", content="q"),
    messages.RemoveMessage(id="5"),
]  # fmt: skip


class OwnMessage(messages.AIMessage):
    extra_field: int = 5
    hidden: int = pydantic.Field(6, exclude=True)


@pytest.mark.parametrize("message", [*EVERY_MESSAGE, OwnMessage("x", id="1")], ids=lambda m: type(m).__name__)
def test_messages_are_told_as_model_dump_tells_them(message: messages.BaseMessage) -> None:
    assert encode(message) == encode(message.model_dump())
    renamed = message.model_copy(update={"id": "other"})
    assert encode(renamed) == encode(renamed.model_dump())


def test_every_message_class_of_langchain_is_compared() -> None:
    known = {
        kind
        for kind in vars(messages).values()
        if isinstance(kind, type) and issubclass(kind, messages.BaseMessage)
    }
    assert known - {type(message) for message in EVERY_MESSAGE} == {
        messages.BaseMessage,
        messages.BaseMessageChunk,
    }


def test_the_same_object_is_encoded_once() -> None:
    once = EncodedOnce(most=2)
    first, second, third = {"a": 1}, {"a": 1}, {"a": 3}
    assert once.of(first) is once.of(first)
    assert once.of(first) is not once.of(second)
    kept = once.of(first)
    once.of(third)
    assert once.of(first) is kept, "the one used last stays"


def test_an_object_that_has_grown_is_encoded_anew() -> None:
    once = EncodedOnce()
    value = {"a": 1}
    once.of(value)
    value["b"] = 2
    assert once.of(value) == b'{"a":1,"b":2}'
