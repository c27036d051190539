"""Every stream mode: names, shapes and order of its frames."""

import asyncio
import uuid
from typing import Any

import orjson
import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import StateGraph
from langgraph.types import Command

from robyn_server.worker.chunks import ChunkMapper
from tests.graphs import streaming

SECRET = "sk-never-to-be-seen"


async def run(
    builder: StateGraph, data: Any, modes: list[str], *, saver: Any = None, thread: str = "t", **options: Any
) -> tuple[ChunkMapper, list[tuple[str, Any]]]:
    subgraphs = options.pop("subgraphs", False)
    frames: list[tuple[str, Any]] = options.pop("frames", [])
    mapper = ChunkMapper(modes, subgraphs=subgraphs, secret_names=("house_key",))  # type: ignore[arg-type]
    graph = builder.compile(checkpointer=saver or InMemorySaver())
    config: Any = {
        "run_id": uuid.UUID(int=7),
        "configurable": {
            "thread_id": thread,
            "apiKeys": {"openai": SECRET},
            "house_key": SECRET,
            "langgraph_auth_user": {"identity": "ann", "token": SECRET},
        },
    }
    async for chunk in mapper.open(graph, data, config, **options):
        for name, data_bytes in mapper.events_from(chunk):
            assert b"\n" not in data_bytes
            frames.append((name, orjson.loads(data_bytes)))
    return mapper, frames


def names(frames: list[tuple[str, Any]]) -> list[str]:
    return [name for name, _ in frames]


async def test_values_start_with_the_applied_input() -> None:
    mapper, frames = await run(streaming.writing("x"), {"log": ["in"]}, ["values"])
    assert frames == [("values", {"log": ["in"]}), ("values", {"log": ["in", "written"]})]
    assert mapper.last_values == b'{"log":["in","written"]}'


async def test_values_are_known_although_nobody_asked_for_them() -> None:
    mapper, frames = await run(streaming.writing("x"), {"log": ["in"]}, ["updates"])
    assert frames == [("updates", {"node": {"log": ["written"]}})]
    assert mapper.last_values == b'{"log":["in","written"]}'


async def test_custom_is_exactly_what_was_written() -> None:
    written = [{"a": 1}, "text", [1], None, 7, {1, 2}]
    _, frames = await run(streaming.writing(*written), {"log": []}, ["custom"])
    assert frames == [("custom", value) for value in [{"a": 1}, "text", [1], None, 7, [1, 2]]]


async def test_an_interrupt_is_an_extra_frame_with_three_keys() -> None:
    saver = InMemorySaver()
    mapper, frames = await run(streaming.asking(), {"log": []}, ["values", "updates"], saver=saver)
    asked = frames[-1][1]["__interrupt__"]
    assert list(asked[0]) == ["value", "id", "response_schema"]
    assert frames[-2:] == [
        ("updates", {"__interrupt__": asked}),
        ("values", {"log": ["prep"], "__interrupt__": asked}),
    ]
    assert mapper.last_values == b'{"log":["prep"]}'
    _, frames = await run(streaming.asking(), Command(resume="Ann"), ["values"], saver=saver)
    assert frames == [("values", {"log": ["prep"]}), ("values", {"log": ["prep", "Ann"]})]


async def test_a_static_breakpoint_shows_in_updates_only() -> None:
    _, frames = await run(streaming.asking(), {"log": []}, ["values", "updates"], interrupt_before=["ask"])
    assert frames[-2:] == [("values", {"log": ["prep"]}), ("updates", {"__interrupt__": []})]


@pytest.mark.parametrize("mode", ["messages", "tasks", "checkpoints", "custom"])
async def test_modes_without_values_or_updates_do_not_show_the_interrupt_frame(mode: str) -> None:
    mapper, frames = await run(streaming.asking(), {"log": []}, [mode])
    assert set(names(frames)) <= {mode}
    assert mapper.last_values == b'{"log":["prep"]}'


async def test_order_within_a_superstep() -> None:
    modes = ["checkpoints", "debug", "tasks", "updates", "values", "custom"]
    _, frames = await run(streaming.writing("hello"), {"log": []}, modes)
    assert names(frames) == [
        "checkpoints", "debug", "values", "checkpoints", "debug",
        "tasks", "debug", "custom", "updates", "tasks", "debug", "values", "checkpoints", "debug",
    ]  # fmt: skip


async def test_debug_checkpoints_name_themselves_and_those_of_subgraphs() -> None:
    _, frames = await run(
        streaming.nested(streaming.writing("x")), {"log": []}, ["debug"], subgraphs=True, thread="t1"
    )
    told = [data["payload"] for name, data in frames if name == "debug" and data["type"] == "checkpoint"]
    first, second = told[:2]
    assert first["parent_checkpoint"] is None
    assert second["parent_checkpoint"] == first["checkpoint"]
    assert list(first["checkpoint"]) == ["checkpoint_id", "thread_id", "checkpoint_ns"]
    (task,) = second["tasks"]
    assert task["checkpoint"] == {"thread_id": "t1", "checkpoint_ns": f"inner:{task['id']}"}
    assert "state" not in task
    inner = next(data for name, data in frames if name.startswith("debug|inner:"))
    assert list(inner["payload"]["checkpoint"]["checkpoint_map"])[0] == ""


async def test_namespaces_are_appended_to_the_mode() -> None:
    graph = streaming.nested(streaming.writing("x"))
    mapper, frames = await run(graph, {"log": []}, ["updates", "custom"], subgraphs=True)
    outer = [name.partition(":")[0] for name in names(frames)]
    assert outer == ["custom|inner", "updates|inner", "updates"]
    assert mapper.last_values == b'{"log":["written"]}'
    _, quiet = await run(graph, {"log": []}, ["updates", "custom"])
    assert names(quiet) == ["updates"]


async def test_only_the_root_graph_says_values_and_interrupts_of_the_run() -> None:
    mapper, frames = await run(streaming.nested(streaming.asking()), {"log": []}, ["values"], subgraphs=True)
    assert [name.partition(":")[0] for name, data in frames if "__interrupt__" in data] == [
        "values|inner",
        "values",
    ]
    assert mapper.last_values == b'{"log":[]}'


async def test_events_carry_the_other_modes_and_swallow_the_root_stream() -> None:
    mapper, frames = await run(streaming.writing("hello"), {"log": []}, ["events", "custom", "values"])
    events = [data for name, data in frames if name == "events"]
    assert events[0]["event"] == "on_chain_start"
    assert events[0]["run_id"] == str(uuid.UUID(int=7))
    streamed = [event["parent_ids"] for event in events if event["event"] == "on_chain_stream"]
    assert streamed and all(streamed)
    assert [data for name, data in frames if name == "custom"] == ["hello"]
    assert [data for name, data in frames if name == "values"] == [{"log": []}, {"log": ["written"]}]
    assert mapper.last_values == b'{"log":["written"]}'


async def test_events_alone_still_know_the_values() -> None:
    mapper, frames = await run(streaming.writing("hello"), {"log": []}, ["events"])
    assert set(names(frames)) == {"events"}
    assert mapper.last_values == b'{"log":["written"]}'


@pytest.mark.parametrize("modes", [["values"], ["events"]])
async def test_closing_the_stream_stops_the_graph(modes: list[str]) -> None:
    begun, stopped = asyncio.Event(), asyncio.Event()

    async def endless(state: streaming.Steps) -> Any:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()

    mapper = ChunkMapper(modes)  # type: ignore[arg-type]
    graph = streaming.builder(streaming.Steps, ("endless", endless)).compile()

    async def read() -> None:
        async for chunk in mapper.open(graph, {"log": []}, {}):
            mapper.events_from(chunk)

    async with asyncio.timeout(5):
        reader = asyncio.create_task(read())
        await begun.wait()
        reader.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reader
        await stopped.wait()


@pytest.mark.parametrize("subgraphs", [False, True])
@pytest.mark.parametrize("events", [[], ["events"]])
async def test_no_secret_in_any_frame(subgraphs: bool, events: list[str]) -> None:
    modes = ["values", "updates", "messages-tuple", "custom", "tasks", "checkpoints", "debug", *events]
    _, frames = await run(streaming.react(), {"messages": "hi"}, modes, subgraphs=subgraphs)
    assert {"checkpoints", "debug"} <= set(names(frames))
    assert SECRET not in orjson.dumps(frames).decode()
    shown = next(data for name, data in frames if name == "checkpoints")["config"]["configurable"]
    assert shown["langgraph_auth_user"] == {"identity": "ann"}


async def test_what_json_cannot_say_fails_the_chunk() -> None:
    with pytest.raises(TypeError, match="64-bit"):
        await run(streaming.writing(2**70), {"log": []}, ["custom"])
