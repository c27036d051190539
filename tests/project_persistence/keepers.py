"""Savers and stores of a project's own, good and bad, and a graph that shows which it was given."""

import operator
import os
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Annotated, Any, TypedDict

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from langgraph.config import get_config, get_store
from langgraph.graph import START, StateGraph
from langgraph.store.base import ListNamespacesOp, Op, Result
from langgraph.store.memory import InMemoryStore
from langgraph.store.postgres.aio import AsyncPostgresStore
from langgraph.types import interrupt


def note(word: str) -> None:
    """A line in the journal that the test reads."""
    with Path(os.environ["JOURNAL"]).open("a", encoding="utf-8") as journal:
        journal.write(f"{word}\n")


class Log(TypedDict, total=False):
    log: Annotated[list[Any], operator.add]
    mark: str


async def _remember(state: Log) -> Log:
    store, thread_id = get_store(), get_config()["configurable"]["thread_id"]
    await store.aput(("graph", "notes"), thread_id, {"text": state.get("mark", "")})
    return {"log": [type(store).__name__]}


async def _ask(state: Log) -> Log:
    return {"log": [interrupt("go on?")]}


_builder: StateGraph[Any, Any, Any, Any] = StateGraph(Log)
_builder.add_node("remember", _remember)
_builder.add_node("ask", _ask)
_builder.add_edge(START, "remember")
_builder.add_edge("remember", "ask")
remembers = _builder.compile()


async def _keep(state: Log) -> Log:
    return {"log": [Log]}


_keeping: StateGraph[Any, Any, Any, Any] = StateGraph(Log)
_keeping.add_node("keep", _keep)
_keeping.add_edge(START, "keep")
keeps_a_class = _keeping.compile()
"""Its state holds what only pickle takes."""


def moody(config: RunnableConfig) -> Any:
    """A factory that makes its graph for runs only."""
    if not config["configurable"]["__is_for_execution__"]:
        raise RuntimeError("not today")
    return remembers


class Counting(InMemorySaver):
    """A saver that keeps in memory, without the optional methods."""

    async def adelete_thread(self, thread_id: str) -> None:
        note(f"deleted {thread_id}")
        await super().adelete_thread(thread_id)


class Unwell(Counting):
    """Fails on threads whose state is marked as sick, from then on whatever it is asked."""

    def __init__(self) -> None:
        super().__init__()
        self.sick: set[str] = set()

    async def aput(self, config: Any, checkpoint: Any, metadata: Any, new_versions: Any) -> Any:
        if checkpoint["channel_values"].get("mark") == "sick":
            self.sick.add(config["configurable"]["thread_id"])
        self._fail(config)
        return await super().aput(config, checkpoint, metadata, new_versions)

    async def aget_tuple(self, config: Any) -> Any:
        self._fail(config)
        return await super().aget_tuple(config)

    def _fail(self, config: Any) -> None:
        if config["configurable"]["thread_id"] in self.sick:
            raise RuntimeError("the backend is away")


unwell_saver = Unwell()


class Complete(Counting):
    """With the optional methods."""

    async def adelete_for_runs(self, run_ids: Sequence[str]) -> None:
        for thread_id, namespaces in list(self.storage.items()):
            for ns, checkpoints in namespaces.items():
                found = [one async for one in self.alist({"configurable": {"thread_id": thread_id}})]
                for one in found:
                    if one.metadata.get("run_id") in run_ids:
                        checkpoints.pop(one.checkpoint["id"], None)
                        self.writes.pop((thread_id, ns, one.checkpoint["id"]), None)
        note("deleted for runs")

    async def aprune(self, thread_ids: Sequence[str], *, strategy: str = "keep_latest") -> None:
        for thread_id in thread_ids:
            for checkpoints in self.storage[thread_id].values():
                for old in sorted(checkpoints)[:-1]:
                    del checkpoints[old]
        note(f"pruned {strategy}")


@asynccontextmanager
async def opened_saver() -> AsyncIterator[Complete]:
    note("saver opened")
    yield Complete()
    note("saver closed")


@contextmanager
def opened_store() -> Iterator[InMemoryStore]:
    note("store opened")
    yield InMemoryStore()
    note("store closed")


@asynccontextmanager
async def postgres_saver() -> AsyncIterator[AsyncPostgresSaver]:
    async with AsyncPostgresSaver.from_conn_string(os.environ["KEPT_AT"]) as saver:
        await saver.setup()
        yield saver


@asynccontextmanager
async def postgres_store() -> AsyncIterator[AsyncPostgresStore]:
    async with AsyncPostgresStore.from_conn_string(os.environ["KEPT_AT"]) as store:
        await store.setup()
        yield store


plain_saver = Counting()


async def made_store() -> "Mortal":
    return Mortal()


class Mortal(InMemoryStore):
    """Takes a time to live, which it goes by when it is swept; does not list namespaces."""

    supports_ttl = True

    async def abatch(self, ops: Iterable[Op]) -> list[Result]:
        asked = list(ops)
        if any(isinstance(op, ListNamespacesOp) for op in asked):
            raise NotImplementedError("Mortal lists no namespaces")
        for op in asked:
            note(f"ttl {getattr(op, 'ttl', None)}")
        return await super().abatch(asked)

    async def sweep_ttl(self) -> int:
        note("swept")
        return 0


class Half(BaseCheckpointSaver[str]):
    """Has none of the methods that are needed."""


def no_saver() -> str:
    return "nothing"


def fails() -> None:
    raise RuntimeError("no such database")


async def undecorated() -> AsyncIterator[InMemoryStore]:
    yield InMemoryStore()
