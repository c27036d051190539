"""Upkeep of long threads: other writes get in between, and a crash in between does no harm."""

import asyncio
from collections.abc import Awaitable, Callable
from operator import add
from pathlib import Path
from typing import Annotated, Any, TypedDict

import pytest
from langgraph.channels.delta import DeltaChannel
from langgraph.graph import START, StateGraph

from robyn_server.storage.checkpoints import upkeep
from robyn_server.storage.checkpoints.interfaces import Checkpoints
from robyn_server.storage.checkpoints.portions import Look, Work
from robyn_server.storage.checkpoints.sqlite import SqliteCheckpoints, open_checkpoints
from robyn_server.storage.encryption.cipher import CLEAR
from tests.conformance.storage.test_checkpoints import THREAD, config, joined, rows, run, state

TURNS = 700
"""More than one portion, of checkpoints as of values."""


class State(TypedDict, total=False):
    count: int
    log: Annotated[list[str], add]


class Deltas(TypedDict, total=False):
    count: int
    log: Annotated[list[str], DeltaChannel(joined, snapshot_frequency=5)]


def long(schema: Any = State) -> Any:
    """As many steps as it is told."""
    builder = StateGraph(schema)
    builder.add_node("turn", lambda given: {"count": given["count"] - 1, "log": ["a word " * 20]})
    builder.add_edge(START, "turn")
    builder.add_conditional_edges("turn", lambda given: "turn" if given["count"] else "__end__")
    return builder


async def walk(checkpoints: Checkpoints, graph: Any, run_id: str, steps: int) -> None:
    ready = graph.compile(checkpointer=checkpoints.saver())
    await ready.ainvoke({"count": steps}, config(run_id) | {"recursion_limit": steps + 5})


UPKEEP: dict[str, Callable[[Checkpoints], Awaitable[None]]] = {
    "keep_latest": lambda checkpoints: checkpoints.keep_latest(THREAD),
    "delete_thread": lambda checkpoints: checkpoints.delete_thread(THREAD),
    "delete_run": lambda checkpoints: checkpoints.delete_run(THREAD, "long"),
}


@pytest.fixture
async def on_sqlite(tmp_path: Path) -> Any:
    opened = await open_checkpoints(tmp_path)
    yield opened
    await opened.close()


@pytest.mark.parametrize("name", UPKEEP)
async def test_other_writes_get_in_between(on_sqlite: SqliteCheckpoints, name: str) -> None:
    await run(on_sqlite, long(), "short", {"count": 1})
    await walk(on_sqlite, long(), "long", TURNS)
    saver, elsewhere = on_sqlite.saver(), config("other", "other", checkpoint_ns="", checkpoint_id="1")
    working = asyncio.ensure_future(UPKEEP[name](on_sqlite))
    between = 0
    while not working.done():
        await saver.aput_writes(elsewhere, [("count", between)], "task")
        between += 1
    await working
    # One is handed over with the first portion.
    assert between > 2
    left = {"keep_latest": 1, "delete_thread": 0, "delete_run": 3}[name]
    assert len((await rows(on_sqlite))["checkpoints"]) == left


async def begun(checkpoints: SqliteCheckpoints, work: Work[None], steps: int) -> bool:
    """Do the next steps of a work, as far as a crash lets it come; whether that was all."""
    try:
        step = next(work)
        for _ in range(steps):
            act = checkpoints._db.read if isinstance(step, Look) else checkpoints._db.write
            step = work.send(await act(step.start))
    except StopIteration:
        return True
    work.close()
    return False


@pytest.mark.parametrize("schema", [State, Deltas])
async def test_a_prune_that_was_broken_off_leaves_a_whole_thread(
    on_sqlite: SqliteCheckpoints, schema: Any
) -> None:
    graph = long(schema)
    await walk(on_sqlite, graph, "long", TURNS)
    before = (await state(on_sqlite, graph)).values
    steps = 0
    while not await begun(on_sqlite, upkeep.keep_latest(CLEAR, THREAD, 1), steps):
        steps += 1
        assert (await state(on_sqlite, graph)).values == before
        ready = graph.compile(checkpointer=on_sqlite.saver())
        # So can what is left of the history.
        history = [one async for one in ready.aget_state_history(config(""), limit=4)]
        assert all(len(one.values["log"]) + one.values["count"] == TURNS for one in history)
    assert steps > 5
    pruned = await rows(on_sqlite)
    await on_sqlite.keep_latest(THREAD)
    assert await rows(on_sqlite) == pruned
    named = {row[3] for row in pruned["checkpoint_blobs"]}
    assert all(any(version in row[5] for row in pruned["checkpoints"]) for version in named)


async def test_a_rollback_that_was_broken_off_is_begun_again(on_sqlite: SqliteCheckpoints) -> None:
    await walk(on_sqlite, long(), "short", 20)
    before = await rows(on_sqlite)
    await walk(on_sqlite, long(), "long", TURNS)
    steps = 1
    while not await begun(on_sqlite, upkeep.delete_run(CLEAR, THREAD, "long"), steps):
        steps += 1
    assert steps > 2
    assert await rows(on_sqlite) == before


async def test_a_prune_spares_what_was_gone_back_to_meanwhile(on_sqlite: SqliteCheckpoints) -> None:
    graph = long(Deltas)
    await walk(on_sqlite, graph, "long", 20)
    ready = graph.compile(checkpointer=on_sqlite.saver())
    old = [one async for one in ready.aget_state_history(config(""))][10]
    work = upkeep.keep_latest(CLEAR, THREAD, 1)
    looked = await on_sqlite._db.read(next(work).start)
    await ready.aupdate_state(old.config, {"log": ["more"]})
    assert await on_sqlite._db.write(work.send(looked).start) is False
    work.close()
    await on_sqlite.keep_latest(THREAD)
    assert (await state(on_sqlite, graph)).values["log"] == [*old.values["log"], "more"]
