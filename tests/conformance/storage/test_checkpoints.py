"""Upkeep of checkpoints, proved on real graphs: after it, a thread is exactly what it was before."""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from operator import add
from typing import Annotated, Any, TypedDict

import pytest
from langchain_core.runnables import RunnableConfig
from langgraph.channels.delta import DeltaChannel
from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.types import Command, Durability, interrupt
from pydantic import BaseModel

from robyn_server.storage.checkpoints.interfaces import Checkpoints
from robyn_server.storage.db import Transition
from robyn_server.storage.interfaces import Storage

THREAD = "thread-1"


class State(TypedDict, total=False):
    count: int
    log: Annotated[list[str], add]


def one(state: State) -> State:
    return {"count": state.get("count", 0) + 1, "log": ["one"]}


def aside(state: State) -> State:
    return {"log": ["aside"]}


def ask(state: State) -> State:
    first, second = interrupt("first?"), interrupt("second?")
    return {"log": [f"{first} {second}"]}


def asking() -> Any:
    """one, then `aside` and `ask` side by side; `ask` asks twice."""
    builder = StateGraph(State)
    builder.add_node(one)
    builder.add_node(aside)
    builder.add_node(ask)
    builder.add_edge(START, "one")
    builder.add_edge("one", "aside")
    builder.add_edge("one", "ask")
    builder.add_edge("ask", END)
    return builder


def nested() -> Any:
    """`asking` as a subgraph."""
    builder = StateGraph(State)
    builder.add_node("child", asking().compile())
    builder.add_edge(START, "child")
    builder.add_edge("child", END)
    return builder


GRAPHS = {"flat": asking, "nested": nested}


@pytest.fixture
def checkpoints(storage: Storage) -> Checkpoints:
    return storage.checkpoints


def config(run_id: str, thread_id: str = THREAD, **configurable: str) -> RunnableConfig:
    return {
        "configurable": {"thread_id": thread_id, "run_id": run_id, **configurable},
        "metadata": {"run_id": run_id, "thread_id": thread_id},
    }


async def run(
    checkpoints: Checkpoints,
    graph: Any,
    run_id: str,
    given: Any,
    durability: Durability = "async",
    **configurable: str,
) -> None:
    ready = graph.compile(checkpointer=checkpoints.saver())
    await ready.ainvoke(given, config(run_id, **configurable), durability=durability)


OF_THREAD = "SELECT * FROM {} WHERE thread_id = ? ORDER BY 1, 2, 3, 4, 5, 6"

TABLES = dict.fromkeys(("checkpoints", "checkpoint_blobs", "checkpoint_writes", "write_undo"), OF_THREAD)

CHUNKS = {
    "checkpoint_chunks": "SELECT DISTINCT c.* FROM checkpoint_chunks c JOIN checkpoint_blobs USING (log)"
    " WHERE thread_id = ? ORDER BY 1, 2",
}
"""SQLite only."""


async def rows(checkpoints: Checkpoints, thread_id: str = THREAD) -> dict[str, list[Any]]:
    """All that is stored of a thread."""

    def everything() -> Transition[dict[str, list[Any]]]:
        found = {}
        for table, sql in tables.items():
            found[table] = yield sql.format(table), (thread_id,)
        return found

    db = checkpoints._db  # type: ignore[attr-defined]
    tables = TABLES | CHUNKS if db.dialect.name == "sqlite" else TABLES
    return await db.read(everything)


async def state(checkpoints: Checkpoints, graph: Any, thread_id: str = THREAD) -> Any:
    ready: CompiledStateGraph[Any, Any, Any, Any] = graph.compile(checkpointer=checkpoints.saver())
    return await ready.aget_state({"configurable": {"thread_id": thread_id}}, subgraphs=True)


@pytest.mark.parametrize("durability", ["sync", "async", "exit"])
@pytest.mark.parametrize("graph", GRAPHS.values(), ids=GRAPHS)
async def test_deleting_a_run_that_resumed_makes_its_interrupt_pending_again(
    checkpoints: Checkpoints, graph: Any, durability: Durability
) -> None:
    await run(checkpoints, graph(), "r1", {"count": 1}, durability)
    before, state_before = await rows(checkpoints), await state(checkpoints, graph())

    await run(checkpoints, graph(), "r2", Command(resume="a"), durability)
    between, state_between = await rows(checkpoints), await state(checkpoints, graph())
    assert [i.value for i in state_between.interrupts] == ["second?"]

    await run(checkpoints, graph(), "r3", Command(resume="b"), durability)
    assert (await state(checkpoints, graph())).next == ()

    await checkpoints.delete_run(THREAD, "r3")
    assert await rows(checkpoints) == between
    assert await state(checkpoints, graph()) == state_between

    await checkpoints.delete_run(THREAD, "r2")
    assert await rows(checkpoints) == before
    assert await state(checkpoints, graph()) == state_before
    assert [i.value for i in state_before.interrupts] == ["first?"]

    await run(checkpoints, graph(), "r4", Command(resume="c"), durability)
    await run(checkpoints, graph(), "r5", Command(resume="d"), durability)
    final = await state(checkpoints, graph())
    assert final.values == {"count": 2, "log": ["one", "aside", "c d"]}


async def test_deleting_runs_out_of_order_undoes_only_what_each_wrote(checkpoints: Checkpoints) -> None:
    graph = asking()
    await run(checkpoints, graph, "r1", {"count": 1})
    before = await rows(checkpoints)
    await run(checkpoints, graph, "r2", Command(resume="a"))
    await run(checkpoints, graph, "r3", Command(resume="b"))
    finished = await state(checkpoints, graph)

    await checkpoints.delete_run(THREAD, "r2")
    assert (await state(checkpoints, graph)).values == finished.values

    await checkpoints.delete_run(THREAD, "r3")
    assert await rows(checkpoints) == before


async def test_deleting_a_run_keeps_what_other_runs_and_threads_have(checkpoints: Checkpoints) -> None:
    graph = nested()
    await run(checkpoints, graph, "r1", {"count": 1})
    await run(checkpoints, graph, "r1", {"count": 1}, thread_id="other")
    before, other = await rows(checkpoints), await rows(checkpoints, "other")

    await run(checkpoints, graph, "r2", {"count": 5})
    await checkpoints.delete_run(THREAD, "r2")
    assert await rows(checkpoints) == before

    await checkpoints.delete_run(THREAD, "r2")
    assert await rows(checkpoints) == before

    await checkpoints.delete_run(THREAD, "r1")
    assert not any((await rows(checkpoints)).values())
    assert await rows(checkpoints, "other") == other


async def test_a_run_that_went_back_in_time_is_undone(checkpoints: Checkpoints) -> None:
    graph = asking()
    await run(checkpoints, graph, "r1", {"count": 1})
    head = (await state(checkpoints, graph)).config["configurable"]["checkpoint_id"]
    await run(checkpoints, graph, "r2", Command(resume="a"))
    await run(checkpoints, graph, "r3", Command(resume="b"))
    before = await rows(checkpoints)

    await run(checkpoints, graph, "r4", Command(resume="other"), checkpoint_id=head)
    assert await rows(checkpoints) != before
    await checkpoints.delete_run(THREAD, "r4")
    assert await rows(checkpoints) == before


async def test_a_run_remembers_nothing_of_its_own_checkpoints(checkpoints: Checkpoints) -> None:
    await run(checkpoints, nested(), "r1", {"count": 1})
    await run(checkpoints, asking(), "r2", {"count": 1}, thread_id="t2")
    for thread_id in (THREAD, "t2"):
        assert (await rows(checkpoints, thread_id))["write_undo"] == []


async def test_an_attempt_begun_anew_after_a_crash_is_undone_too(checkpoints: Checkpoints) -> None:
    graph = asking()
    await run(checkpoints, graph, "r1", {"count": 1})
    before = await rows(checkpoints)
    await run(checkpoints, graph, "r2", Command(resume="a"))
    await run(checkpoints, graph, "r2", None)
    await checkpoints.delete_run(THREAD, "r2")
    assert await rows(checkpoints) == before


@pytest.mark.parametrize("graph", GRAPHS.values(), ids=GRAPHS)
async def test_a_copy_can_be_resumed_and_leaves_the_original_alone(
    checkpoints: Checkpoints, graph: Any
) -> None:
    await run(checkpoints, graph(), "r1", {"count": 1})
    before = await rows(checkpoints)
    await checkpoints.copy_thread(THREAD, "copy")

    copied = await state(checkpoints, graph(), "copy")
    assert copied.metadata["run_id"] == "r1"
    assert copied.metadata["thread_id"] == "copy"
    assert [i.value for i in copied.interrupts] == ["first?"]

    await run(checkpoints, graph(), "r2", Command(resume="a"), thread_id="copy")
    await run(checkpoints, graph(), "r3", Command(resume="b"), thread_id="copy")
    assert (await state(checkpoints, graph(), "copy")).values["log"] == ["one", "aside", "a b"]
    assert await rows(checkpoints) == before


async def test_keep_latest_keeps_the_state_and_its_interrupt(checkpoints: Checkpoints) -> None:
    graph = nested()
    await run(checkpoints, graph, "r1", {"count": 1})
    before = await state(checkpoints, graph)
    await checkpoints.keep_latest(THREAD)

    kept = await rows(checkpoints)
    namespaces = [row[1] for row in kept["checkpoints"]]
    assert len(namespaces) == len(set(namespaces)) == 2
    after = await state(checkpoints, graph)
    assert (after.values, after.next, after.interrupts) == (before.values, before.next, before.interrupts)

    await run(checkpoints, graph, "r2", Command(resume="a"))
    await run(checkpoints, graph, "r3", Command(resume="b"))
    assert (await state(checkpoints, graph)).values["log"] == ["one", "aside", "a b"]

    await checkpoints.keep_latest(THREAD, keep=2)
    assert len([row for row in (await rows(checkpoints))["checkpoints"] if row[1] == ""]) == 2


async def test_newest_run_id_is_that_of_the_root(checkpoints: Checkpoints) -> None:
    assert await checkpoints.newest_run_id(THREAD) is None
    await run(checkpoints, nested(), "r1", {"count": 1})
    assert await checkpoints.newest_run_id(THREAD) == "r1"
    await run(checkpoints, nested(), "r2", Command(resume="a"))
    assert await checkpoints.newest_run_id(THREAD) == "r1"
    await run(checkpoints, nested(), "r3", Command(resume="b"))
    assert await checkpoints.newest_run_id(THREAD) == "r3"


async def test_delete_thread_leaves_nothing(checkpoints: Checkpoints) -> None:
    await run(checkpoints, nested(), "r1", {"count": 1})
    await run(checkpoints, nested(), "r2", Command(resume="a"))
    await checkpoints.delete_thread(THREAD)
    await checkpoints.delete_thread(THREAD)
    assert not any((await rows(checkpoints)).values())


async def test_storage_counts_bytes_by_channel(checkpoints: Checkpoints) -> None:
    nothing = {"count": 0, "bytes": 0}
    assert await checkpoints.storage(THREAD) == {
        "thread_id": THREAD,
        "total_bytes": 0,
        "checkpoints": nothing,
        "channel_values": {**nothing, "by_channel": {}},
        "pending_writes": nothing,
    }
    await run(checkpoints, asking(), "r1", {"count": 1})
    report = await checkpoints.storage(THREAD)
    assert set(report["channel_values"]["by_channel"]) >= {"count", "log", "__start__"}
    parts = (report["checkpoints"], report["channel_values"], report["pending_writes"])
    assert report["total_bytes"] == sum(part["bytes"] for part in parts)
    assert all(part["count"] > 0 and part["bytes"] > 0 for part in parts)


async def test_an_upkeep_that_nobody_waits_for_is_done_whole(checkpoints: Checkpoints) -> None:
    await run(checkpoints, asking(), "r1", {"count": 1})
    working = asyncio.create_task(checkpoints.delete_thread(THREAD))
    await asyncio.sleep(0)
    working.cancel()
    await asyncio.wait([working])
    async with asyncio.timeout(5):
        while any((await rows(checkpoints)).values()):
            pass
    await run(checkpoints, asking(), "r2", {"count": 1})
    await run(checkpoints, asking(), "r3", Command(resume="a"))
    assert (await state(checkpoints, asking())).next == ("ask",)


def joined(before: list[str], writes: Sequence[list[str]]) -> list[str]:
    return [*before, *(word for write in writes for word in write)]


class Deltas(TypedDict, total=False):
    words: Annotated[list[str], DeltaChannel(joined)]


async def test_upkeep_copes_with_channels_that_store_only_changes(checkpoints: Checkpoints) -> None:
    builder = StateGraph(Deltas)
    builder.add_node("say", lambda _: {"words": ["said"]})
    builder.add_edge(START, "say")
    await run(checkpoints, builder, "r1", {"words": ["one"]})
    await run(checkpoints, builder, "r2", {"words": ["two"]})
    await checkpoints.delete_run(THREAD, "r2")
    assert (await state(checkpoints, builder)).values == {"words": ["one", "said"]}
    await checkpoints.keep_latest(THREAD)
    await checkpoints.copy_thread(THREAD, "copy")
    for thread_id in (THREAD, "copy"):
        assert (await state(checkpoints, builder, thread_id)).values == {"words": ["one", "said"]}


async def test_a_saver_serves_sync_graphs_in_other_threads(checkpoints: Checkpoints) -> None:
    ready = asking().compile(checkpointer=checkpoints.saver())
    await asyncio.to_thread(ready.invoke, {"count": 1}, config("r1"))
    before = await rows(checkpoints)
    await asyncio.to_thread(ready.invoke, Command(resume="a"), config("r2"))
    assert await rows(checkpoints) != before
    await checkpoints.delete_run(THREAD, "r2")
    assert await rows(checkpoints) == before


@dataclass
class Point:
    x: int


class Box(BaseModel):
    size: int


class Typed(TypedDict, total=False):
    point: Point
    box: Box


async def test_types_of_the_graph_come_back_and_the_log_stays_quiet(
    checkpoints: Checkpoints, caplog: pytest.LogCaptureFixture
) -> None:
    builder = StateGraph(Typed)
    builder.add_node("make", lambda _: {"point": Point(1), "box": Box(size=2)})
    builder.add_edge(START, "make")
    await run(checkpoints, builder, "r1", {"point": Point(0)})
    with caplog.at_level(logging.WARNING):
        found = await state(checkpoints, builder)
    assert found.values == {"point": Point(1), "box": Box(size=2)}
    assert not caplog.records


async def test_many_runs_share_the_database(checkpoints: Checkpoints) -> None:
    async def both(number: int) -> None:
        await run(checkpoints, asking(), f"a{number}", {"count": 1}, thread_id=f"t{number}")
        await run(checkpoints, asking(), f"b{number}", Command(resume="a"), thread_id=f"t{number}")
        await checkpoints.delete_run(f"t{number}", f"b{number}")

    await asyncio.gather(*(both(number) for number in range(20)))
    for number in range(20):
        found = await state(checkpoints, asking(), f"t{number}")
        assert [i.value for i in found.interrupts] == ["first?"]


class Plain(TypedDict, total=False):
    answer: str
    ratio: float


async def test_plain_values_outlive_a_graph_that_does_not_know_them(checkpoints: Checkpoints) -> None:
    knowing, other = StateGraph(Plain), StateGraph(State)
    knowing.add_node("say", lambda _: {"answer": "a\0b", "ratio": float("inf")})
    knowing.add_edge(START, "say")
    other.add_node(one)
    other.add_edge(START, "one")
    await run(checkpoints, knowing, "r1", {"answer": ""})
    await run(checkpoints, other, "r2", {"count": 1})
    assert (await state(checkpoints, knowing)).values == {"answer": "a\0b", "ratio": float("inf")}
