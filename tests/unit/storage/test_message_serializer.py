"""The short way for messages says and reads what LangGraph's serializer does."""

import warnings
from datetime import datetime
from typing import Any
from uuid import UUID

import ormsgpack
import pytest
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    BaseMessage,
    ChatMessage,
    HumanMessage,
    RemoveMessage,
    SystemMessage,
    ToolMessage,
)
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from pydantic import BaseModel

from robyn_server.storage.checkpoints.messages import MessageSerializer

USUAL = JsonPlusSerializer(pickle_fallback=True)
OURS = MessageSerializer(pickle_fallback=True)


class Noted(BaseModel):
    text: str


class Own(HumanMessage):
    """A class of a graph's own."""


def changed(message: BaseMessage, **fields: Any) -> BaseMessage:
    """As a node may change a message, past its validators."""
    for name, value in fields.items():
        setattr(message, name, value)
    return message


CALL = {"name": "add", "args": {"a": 1, "deep": {"b": [1, None, 2.5]}}, "id": "c1", "type": "tool_call"}
INVALID = {"name": "f", "args": "{", "id": "i", "error": None, "type": "invalid_tool_call"}
RAW_CALL = {"id": "c9", "type": "function", "function": {"name": "add", "arguments": '{"a": 1}'}}

LISTS: list[list[Any]] = [
    [],
    [HumanMessage("hi", id="1"), AIMessage("there", id="2"), SystemMessage("be kind", name="boss")],
    [HumanMessage([{"type": "text", "text": "hi"}, "plain"], additional_kwargs={"a": {"b": (1, 2)}, 3: "n"})],
    [AIMessage("", tool_calls=[CALL], response_metadata={"model_name": "m", "logprobs": None})],
    [AIMessage("", additional_kwargs={"tool_calls": [RAW_CALL]})],
    [changed(AIMessage("late"), additional_kwargs={"tool_calls": [RAW_CALL]})],
    [AIMessage("x", invalid_tool_calls=[INVALID])],
    [
        AIMessage(
            "x",
            usage_metadata={
                "input_tokens": 3,
                "output_tokens": 2,
                "total_tokens": 5,
                "input_token_details": {"cache_read": 1},
            },
        )
    ],
    [ToolMessage("3", tool_call_id="c1", artifact={"raw": b"3"}, status="error", name="add")],
    [ToolMessage("3", tool_call_id="c1", artifact={"when": datetime(2026, 1, 1), "who": UUID(int=7)})],
    [ToolMessage("3", tool_call_id="c1", artifact=Noted(text="kept")), HumanMessage("next")],
    [HumanMessage("broken \ud800 text")],
    [HumanMessage("more", mood="good", example=True)],
    [changed(HumanMessage("x"), id=5)],
    [changed(HumanMessage("x"), content=7)],
    [HumanMessage.model_construct(content="x", content_blocks=[{"type": "text", "text": "extra"}])],
    [AIMessageChunk("part"), HumanMessage("whole"), ChatMessage("c", role="r"), RemoveMessage("1"), Own("own")],
    [HumanMessage("x"), "not a message", None],
]  # fmt: skip


@pytest.mark.parametrize("messages", LISTS, ids=range(len(LISTS)))
def test_bytes_and_objects_are_those_of_langgraph(messages: list[Any]) -> None:
    with warnings.catch_warnings():
        # pydantic tells of fields changed past their types.
        warnings.simplefilter("ignore")
        usual, ours = USUAL.dumps_typed(messages), OURS.dumps_typed(messages)
    assert ours == usual
    expected, found = USUAL.loads_typed(usual), OURS.loads_typed(usual)
    assert found == expected
    for one, other in zip(found, expected, strict=True):
        assert type(one) is type(other)
        if isinstance(one, BaseMessage):
            assert vars(one) == vars(other)
            assert list(vars(one)) == list(vars(other))
            assert one.__pydantic_extra__ == other.__pydantic_extra__
            assert one.__pydantic_fields_set__ == other.__pydantic_fields_set__
            assert one.__pydantic_private__ == other.__pydantic_private__


@pytest.mark.parametrize(
    "value",
    [
        HumanMessage("alone"),
        {"messages": [HumanMessage("inside"), Noted(text="n")], "count": 3},
        None,
        b"bytes",
        {1, 2},
        Noted,
    ],
    ids=repr,
)
def test_other_values_go_the_usual_way(value: Any) -> None:
    stored = OURS.dumps_typed(value)
    assert stored == USUAL.dumps_typed(value)
    assert OURS.loads_typed(stored) == USUAL.loads_typed(stored) == value


def test_messages_written_by_an_older_langchain_are_filled_up() -> None:
    fields = {"content": "old", "type": "human"}
    inner = ormsgpack.packb(("langchain_core.messages.human", "HumanMessage", fields, "model_validate_json"))
    stored = ("msgpack", ormsgpack.packb([ormsgpack.Ext(5, inner)], default=lambda ext: ext))
    assert OURS.loads_typed(stored) == [HumanMessage("old")] == USUAL.loads_typed(stored)


def test_an_allow_list_holds_for_what_is_not_a_message() -> None:
    strict = MessageSerializer(allowed_msgpack_modules=None)
    stored = OURS.dumps_typed([HumanMessage("x"), Noted(text="blocked")])
    assert strict.loads_typed(stored) == [HumanMessage("x"), {"text": "blocked"}]
    allowing = strict.with_msgpack_allowlist([(__name__, "Noted")])
    assert allowing.loads_typed(stored) == [HumanMessage("x"), Noted(text="blocked")]
