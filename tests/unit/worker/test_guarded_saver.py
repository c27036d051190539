"""What a run's last checkpoint is read from: memory where that says the same, else the database."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import TypedDict

import pytest
from langchain_core.runnables import RunnableConfig
from langgraph.graph import END, START, StateGraph
from langgraph.pregel import Pregel
from langgraph.types import interrupt

from robyn_server.storage.checkpoints.serializer import SerdeOptions
from robyn_server.storage.checkpoints.sqlite import SqliteCheckpoints, open_checkpoints
from robyn_server.worker.guarded_saver import GuardedSaver
from robyn_server.worker.write_gate import WriteGate

AT: RunnableConfig = {"configurable": {"thread_id": "t", "checkpoint_ns": ""}}


class State(TypedDict):
    said: list[str]


@pytest.fixture
async def checkpoints(tmp_path: Path) -> AsyncIterator[SqliteCheckpoints]:
    opened = await open_checkpoints(tmp_path)
    yield opened
    await opened.close()


def asking(state: State) -> State:
    return {"said": [*state["said"], interrupt("name?")]}


def answering(state: State) -> State:
    return {"said": [*state["said"], "hello"]}


def graph_of(node: object, saver: GuardedSaver) -> Pregel:  # type: ignore[type-arg]
    builder = StateGraph(State)
    builder.add_node("node", node)  # type: ignore[call-overload]
    builder.add_edge(START, "node")
    builder.add_edge("node", END)
    return builder.compile(checkpointer=saver)


def guarded(checkpoints: SqliteCheckpoints) -> GuardedSaver:
    return GuardedSaver(checkpoints.saver(), WriteGate(), {})


def newest_of(saver: GuardedSaver) -> RunnableConfig:
    return {"configurable": {**AT["configurable"], "checkpoint_id": saver.progress.newest}}


async def test_the_last_checkpoint_of_a_run_that_is_over_is_not_read_back(
    checkpoints: SqliteCheckpoints,
) -> None:
    saver = guarded(checkpoints)
    graph = graph_of(answering, saver)
    await graph.ainvoke({"said": []}, AT)
    stored = await graph.aget_state(newest_of(saver))
    saver.progress.over = True
    await checkpoints.delete_thread("t")
    kept = await graph.aget_state(newest_of(saver))
    assert kept.values == stored.values == {"said": ["hello"]}
    assert (kept.next, kept.tasks, kept.created_at) == (stored.next, stored.tasks, stored.created_at)


async def test_what_was_put_through_a_clone_with_an_allowlist_is_not_read_back_either(
    tmp_path: Path,
) -> None:
    listed = SerdeOptions(allowed={"allowed_msgpack_modules": [("decimal", "Decimal")]})
    checkpoints = await open_checkpoints(tmp_path, serde=listed)
    saver = guarded(checkpoints)
    clone = saver.with_allowlist({("fractions", "Fraction")})
    assert clone is not saver
    await graph_of(answering, clone).ainvoke({"said": []}, AT)
    saver.progress.over = True
    await checkpoints.delete_thread("t")
    kept = await graph_of(answering, saver.with_allowlist(())).aget_state(newest_of(saver))
    assert kept.values == {"said": ["hello"]}
    await checkpoints.close()


async def test_while_the_graph_runs_every_read_goes_to_the_database(checkpoints: SqliteCheckpoints) -> None:
    saver = guarded(checkpoints)
    await graph_of(answering, saver).ainvoke({"said": []}, AT)
    await checkpoints.delete_thread("t")
    assert await saver.aget_tuple(newest_of(saver)) is None


async def test_a_checkpoint_that_was_written_onto_is_read_back(checkpoints: SqliteCheckpoints) -> None:
    saver = guarded(checkpoints)
    graph = graph_of(asking, saver)
    await graph.ainvoke({"said": []}, AT)
    saver.progress.over = True
    state = await graph.aget_state(newest_of(saver))
    assert [found.value for found in state.interrupts] == ["name?"]
    assert state.next == ("node",)
