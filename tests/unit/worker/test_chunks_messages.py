"""Stream modes `messages` and `messages-tuple`."""

from typing import Any

import pytest
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    BaseMessageChunk,
    HumanMessage,
    ToolMessage,
    message_chunk_to_message,
)

from robyn_server.resources.encoding import encode
from robyn_server.testing.scripted_model import ScriptedModel
from robyn_server.worker.message_chunks import MessagesSoFar
from tests.graphs import streaming
from tests.unit.worker.test_chunks_modes import names, run

HELLO: Any = {"messages": [{"role": "user", "content": "hello"}]}


async def test_tokens_come_as_the_message_so_far() -> None:
    _, frames = await run(streaming.talking(ScriptedModel(script=["one two three"])), HELLO, ["messages"])
    assert names(frames) == ["messages/metadata", *["messages/partial"] * 4]
    ((message_id, metadata),) = frames[0][1].items()
    assert metadata["metadata"]["langgraph_node"] == "agent"
    partials = [data[0] for _, data in frames[1:]]
    assert [one["content"] for one in partials] == ["one ", "one two ", "one two three", "one two three"]
    assert {one["id"] for one in partials} == {message_id}
    assert list(partials[0]) == [
        "content", "additional_kwargs", "response_metadata", "type", "name", "id",
        "tool_calls", "invalid_tool_calls", "usage_metadata",
    ]  # fmt: skip
    assert partials[0]["type"] == "ai"
    assert partials[-1]["usage_metadata"] == {"input_tokens": 1, "output_tokens": 3, "total_tokens": 4}


async def test_tool_calls_are_parsed_leniently_and_tool_messages_come_whole() -> None:
    _, frames = await run(streaming.react(), HELLO, ["messages"])
    calls = [
        data[0]["tool_calls"] for name, data in frames if name == "messages/partial" and data[0]["tool_calls"]
    ]
    assert [call[0]["args"] for call in calls] == [{}, {}, {"city": "Rome"}, {"city": "Rome"}]
    (whole,) = [data for name, data in frames if name == "messages/complete"]
    assert whole[0]["type"] == "tool"
    assert whole[0]["content"] == "sunny in Rome"
    assert names(frames).count("messages/metadata") == 3


async def test_tuples_are_named_messages_and_hold_chunk_and_metadata() -> None:
    _, frames = await run(streaming.talking(ScriptedModel(script=["one two"])), HELLO, ["messages-tuple"])
    assert names(frames) == ["messages"] * 3
    chunk, metadata = frames[0][1]
    assert chunk["type"] == "AIMessageChunk"
    assert list(chunk)[-2:] == ["tool_call_chunks", "chunk_position"]
    assert metadata["langgraph_step"] == 1
    assert [data[0]["content"] for _, data in frames] == ["one ", "two", ""]
    assert frames[-1][1][0]["chunk_position"] == "last"


async def test_asked_for_both_tuples_win() -> None:
    _, frames = await run(
        streaming.talking(ScriptedModel(script=["one two"])), HELLO, ["messages", "messages-tuple"]
    )
    assert set(names(frames)) == {"messages"}


async def test_a_ready_made_message_is_complete_at_once() -> None:
    _, frames = await run(streaming.canned(), HELLO, ["messages"])
    assert names(frames) == ["messages/metadata", "messages/complete"]
    assert frames[1][1][0]["content"] == "ready-made"


async def test_messages_of_a_subgraph_come_whole_unless_subgraphs_are_streamed() -> None:
    def graph() -> Any:
        return streaming.nested(streaming.talking(ScriptedModel(script=["one two"])))

    _, off = await run(graph(), HELLO, ["messages"])
    assert names(off) == ["messages/metadata", "messages/complete"]
    _, on = await run(graph(), HELLO, ["messages"], subgraphs=True)
    assert names(on) == ["messages/metadata", *["messages/partial"] * 3]
    _, tuples = await run(graph(), HELLO, ["messages-tuple"], subgraphs=True)
    assert {name.partition(":")[0] for name in names(tuples)} == {"messages|inner"}


@pytest.mark.parametrize("subgraphs", [False, True])
async def test_events_tell_messages_by_the_ids_that_values_tell(subgraphs: bool) -> None:
    _, frames = await run(streaming.react(calls=2), HELLO, ["events", "values"], subgraphs=subgraphs)
    results = [data["data"]["output"] for _, data in frames if data.get("event") == "on_tool_end"]
    final = [data for name, data in frames if name == "values"][-1]["messages"]
    known = {message.get("tool_call_id"): message["id"] for message in final}
    assert [result["id"] for result in results] == [known[result["tool_call_id"]] for result in results]
    assert len(results) == 2


async def test_a_model_that_dies_has_said_its_words() -> None:
    model = ScriptedModel(script=[RuntimeError("exploded")], before_failing="about to")
    frames: list[Any] = []
    with pytest.raises(RuntimeError, match="exploded"):
        await run(streaming.talking(model), HELLO, ["messages"], frames=frames)
    assert names(frames) == ["messages/metadata", "messages/partial", "messages/partial"]
    assert frames[-1][1][0]["content"] == "about to"


def chunk(content: Any = "", **fields: Any) -> AIMessageChunk:
    return AIMessageChunk(content=content, id="m1", **fields)


@pytest.mark.parametrize(
    "pieces",
    [
        [chunk("a"), chunk("b"), chunk("c")],
        [chunk("a", name="bob"), chunk("b"), chunk("c")],
        [chunk("a", reasoning="x"), chunk("b"), chunk("c", reasoning="y")],
        [chunk("a", additional_kwargs={"k": "v"}), chunk("b"), chunk("c", additional_kwargs={"k": "w"})],
        [chunk(""), chunk("b", response_metadata={"model_name": "m"}), chunk("c"), chunk(chunk_position="last")],
        [chunk([{"type": "text", "text": "a", "index": 0}]), chunk([{"type": "text", "text": "b", "index": 0}])],
        [chunk([]), chunk("text"), chunk([{"type": "text", "text": "b", "index": 1}]), chunk("more")],
        [chunk("a"), chunk([{"type": "text", "text": "b", "index": 0}]), chunk("c")],
        [
            chunk("a"),
            chunk(tool_call_chunks=[{"name": "t", "args": "", "id": "1", "index": 0, "type": "tool_call_chunk"}]),
            chunk(tool_call_chunks=[{"name": None, "args": "{", "id": None, "index": 0, "type": "tool_call_chunk"}]),
            chunk("text between"),
            chunk(tool_call_chunks=[{"name": None, "args": "}", "id": None, "index": 0, "type": "tool_call_chunk"}]),
            chunk(chunk_position="last"),
        ],
        [chunk("a", usage_metadata={"input_tokens": 1, "output_tokens": 2, "total_tokens": 3}), chunk("b"),
         chunk("c", usage_metadata={"input_tokens": 1, "output_tokens": 2, "total_tokens": 3})],
    ],
)  # fmt: skip
def test_growing_equals_adding_with_langchain(pieces: list[AIMessageChunk]) -> None:
    before = [encode(piece) for piece in pieces]
    told = MessagesSoFar()
    whole: BaseMessageChunk | None = None
    for piece in pieces:
        whole = piece if whole is None else whole + piece
        name, data = told.frames(piece, b"{}")[-1]
        assert name == "messages/partial"
        assert data == encode([message_chunk_to_message(whole).model_dump()])
    assert [encode(piece) for piece in pieces] == before, "the model's own chunks were changed"


def test_two_messages_may_grow_at_once() -> None:
    told = MessagesSoFar()
    for content in ("a", "b"):
        for message_id in ("x", "y"):
            frames = told.frames(AIMessageChunk(content=content, id=message_id), b"{}")
    assert frames == [("messages/partial", encode([AIMessage(content="ab", id="y")]))]


@pytest.mark.parametrize(
    "message", [HumanMessage("q", id="1"), ToolMessage("q", id="1", tool_call_id="7"), AIMessage("q", id="1")]
)
def test_a_whole_message_is_announced_once(message: Any) -> None:
    told = MessagesSoFar()
    assert told.frames(message, b'{"a":1}')[0] == ("messages/metadata", b'{"1":{"metadata":{"a":1}}}')
    assert [name for name, _ in told.frames(message, b"{}")] == ["messages/complete"]
