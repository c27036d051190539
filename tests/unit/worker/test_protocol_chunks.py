"""LangGraph's event stream as entries of the log."""

import asyncio
from contextlib import aclosing, suppress
from typing import Any

import orjson
import pytest
from langchain_core.messages import AIMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.config import get_stream_writer
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.stream import CheckpointsTransformer, CustomTransformer
from langgraph.types import interrupt

from robyn_server.resources.protocol_event import is_protocol_event, renumbered, values_told
from robyn_server.testing.scripted_model import ScriptedModel
from robyn_server.worker.chunks import ChunkMapper
from robyn_server.worker.protocol_chunks import ProtocolMapper
from tests.graphs import streaming

SECRET = "sk-never-to-be-seen"
CONFIG: Any = {"configurable": {"thread_id": "t", "house_key": SECRET, "apiKeys": {"openai": SECRET}}}


async def run(graph: Any, data: Any) -> tuple[ProtocolMapper, list[tuple[str, dict[str, Any]]]]:
    mapper = ProtocolMapper(("house_key",))
    entries: list[tuple[str, dict[str, Any]]] = []
    async for event in mapper.open(graph, data, CONFIG, durability="async"):
        for name, logged in mapper.events_from(event):
            assert is_protocol_event(logged)
            assert SECRET.encode() not in logged
            entries.append((name, orjson.loads(logged)))
    return mapper, entries


def one_node(node: Any, state: Any = MessagesState, **options: Any) -> Any:
    builder = StateGraph(state)
    builder.add_node("node", node)
    builder.add_edge(START, "node")
    builder.add_edge("node", END)
    return builder.compile(checkpointer=InMemorySaver(), **options)


async def test_a_models_answer_comes_as_content_blocks() -> None:
    model = ScriptedModel(script=["two words"])

    async def node(state: MessagesState) -> dict[str, Any]:
        return {"messages": [await model.ainvoke(state["messages"])]}

    mapper, entries = await run(one_node(node), {"messages": [("user", "say")]})
    messages = [entry["params"]["data"] for name, entry in entries if name == "messages"]
    assert [data["event"] for data in messages] == [
        "message-start", "content-block-start", "content-block-delta", "content-block-delta", "content-block-finish",
        "message-finish",
    ]  # fmt: skip
    assert "".join(data["delta"]["text"] for data in messages if "delta" in data) == "two words"
    assert mapper.last_values is not None
    last = orjson.loads(mapper.last_values)["messages"][-1]
    assert (last["id"], last["content"][0]["text"]) == (messages[0]["id"], "two words")
    assert [entry["seq"] for _, entry in entries] == sorted(entry["seq"] for _, entry in entries)


async def test_a_message_that_a_node_returned_is_in_the_values_only() -> None:
    async def node(state: MessagesState) -> dict[str, Any]:
        return {"messages": [AIMessage(content="ready-made")]}

    _, entries = await run(one_node(node), {"messages": [("user", "say")]})
    assert [name for name, _ in entries] == ["values", "values"]


async def test_custom_payloads_that_name_their_channel_are_told_by_every_graph() -> None:
    builder = streaming.writing({"name": "progress", "step": 1}, {"unnamed": True}, "text")
    _, entries = await run(builder.compile(checkpointer=InMemorySaver()), {"log": []})
    assert [entry["params"]["data"] for name, entry in entries if name == "custom"] == [
        {"name": "progress", "step": 1}
    ]
    for transformer in (CustomTransformer, lambda scope: CustomTransformer(scope)):
        graph = builder.compile(checkpointer=InMemorySaver(), transformers=[transformer])
        _, entries = await run(graph, {"log": []})
        assert len([name for name, _ in entries if name == "custom"]) == 3


async def test_secrets_are_not_in_checkpoints() -> None:
    graph = streaming.writing("x").compile(
        checkpointer=InMemorySaver(), transformers=[CheckpointsTransformer]
    )
    _, entries = await run(graph, {"log": []})
    assert "checkpoints" in [name for name, _ in entries]


async def test_interrupts_stand_beside_the_values() -> None:
    async def node(state: MessagesState) -> dict[str, Any]:
        return {"messages": [interrupt("which?")]}

    _, entries = await run(one_node(node), {"messages": [("user", "say")]})
    name, last = entries[-1]
    assert name == "values"
    assert [one["value"] for one in last["params"]["interrupts"]] == ["which?"]
    values, interrupts = values_told(orjson.dumps(last))
    assert [one["value"] for one in interrupts] == ["which?"]
    assert len(values["messages"]) == 1


async def test_a_failing_graph_fails_as_ever() -> None:
    async def node(state: MessagesState) -> dict[str, Any]:
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        await run(one_node(node), {"messages": [("user", "say")]})


async def test_who_is_cancelled_waits_until_the_graph_has_stopped() -> None:
    began, ended = asyncio.Event(), asyncio.Event()

    async def node(state: MessagesState) -> dict[str, Any]:
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            # What a node still does when it is cancelled.
            for _ in range(50):
                await asyncio.sleep(0)
            ended.set()
        raise AssertionError("unreachable")

    task = asyncio.create_task(run(one_node(node), {"messages": [("user", "say")]}))
    async with asyncio.timeout(5):
        await began.wait()
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
    assert task.cancelled()
    assert ended.is_set()


async def test_who_closes_the_iterator_waits_until_the_graph_has_stopped() -> None:
    ended = asyncio.Event()

    async def node(state: MessagesState) -> dict[str, Any]:
        get_stream_writer()({"name": "begun"})
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            ended.set()
        raise AssertionError("unreachable")

    events = ProtocolMapper().open(one_node(node), {"messages": [("user", "say")]}, CONFIG)
    async with asyncio.timeout(5), aclosing(events):  # type: ignore[type-var]
        async for event in events:
            if event["method"] == "custom":
                break
    assert ended.is_set()


class SlowSaver(InMemorySaver):
    """Takes its time with what comes after step 0."""

    def __init__(self) -> None:
        super().__init__()
        self.writing, self.go_on = asyncio.Event(), asyncio.Event()

    async def aput(self, config: Any, checkpoint: Any, metadata: Any, new_versions: Any) -> Any:
        if metadata["step"] > 0:
            self.writing.set()
            await self.go_on.wait()
        return await super().aput(config, checkpoint, metadata, new_versions)


@pytest.mark.parametrize("mapper", [ProtocolMapper(), ChunkMapper(["values"])], ids=["protocol", "modes"])
async def test_who_is_cancelled_at_the_very_end_is_handed_what_is_still_written(mapper: Any) -> None:
    saver = SlowSaver()
    graph = streaming.writing("x").compile(checkpointer=saver)

    async def follow() -> None:
        async for chunk in mapper.open(graph, {"log": []}, CONFIG, durability="async"):
            mapper.events_from(chunk)

    task = asyncio.create_task(follow())
    async with asyncio.timeout(5):
        await saver.writing.wait()
        # Until it waits for nothing but the writing.
        for _ in range(50):
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError) as cancelled:
            await task
        (writing,) = [one for one in cancelled.value.args if isinstance(one, asyncio.Task)]
        saver.go_on.set()
        await asyncio.wait({writing})


async def test_a_reader_gets_an_event_under_its_own_number() -> None:
    mapper = ProtocolMapper()
    graph = streaming.writing("x").compile(checkpointer=InMemorySaver())
    events = [event async for event in mapper.open(graph, {"log": ['"method":']}, CONFIG)]
    assert events
    for event in events:
        ((_, logged),) = mapper.events_from(event)
        told = orjson.loads(renumbered(logged, "1-2", 77))
        assert (told["event_id"], told["seq"]) == ("1-2", 77)
        assert told["params"] == orjson.loads(logged)["params"]


async def test_it_takes_what_the_other_mapper_takes() -> None:
    graph = streaming.writing("x").compile(checkpointer=InMemorySaver())
    for mapper in (ProtocolMapper(), ChunkMapper(["values"])):
        async for chunk in mapper.open(graph, {"log": ["in"]}, CONFIG, context=None, durability="async"):
            mapper.events_from(chunk)
        assert mapper.last_values is not None
        assert orjson.loads(mapper.last_values)["log"][-1] == "written"
