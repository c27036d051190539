"""Graph factories in every form; each graph tells in `seen` what its factory was given."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any, TypedDict

from langchain_core.runnables import RunnableConfig
from langgraph.graph import START, StateGraph
from langgraph_sdk.runtime import ServerRuntime

entered: list[str] = []
"""Which context managers are open."""


class Seen(TypedDict, total=False):
    seen: str
    limit: int


@dataclass
class Tone:
    tone: str = "calm"


def _graph(seen: object) -> StateGraph[Any, Any, Any, Any]:
    builder: StateGraph[Any, Any, Any, Any] = StateGraph(Seen)
    builder.add_node(
        "tell", lambda state, config: {"seen": str(seen), "limit": config.get("recursion_limit") or 0}
    )
    builder.add_edge(START, "tell")
    return builder


def _told(runtime: Any) -> str:
    execution = runtime.execution_runtime
    who = runtime.user.identity if runtime.user else None
    return f"{runtime.access_context} {who} {execution.context if execution else '-'} {runtime.store is not None}"


def nothing() -> Any:
    return _graph("nothing")


def by_name(config: Any) -> Any:
    return _graph(config["configurable"].get("suffix"))


def by_annotation(whatever: RunnableConfig) -> Any:
    return _graph(whatever["configurable"].get("suffix")).compile()


def alone(whatever) -> Any:  # type: ignore[no-untyped-def]
    return _graph(whatever["configurable"].get("suffix"))


def runtime_by_name(runtime: Any) -> Any:
    return _graph(_told(runtime))


def runtime_by_annotation(server: ServerRuntime[Tone]) -> Any:
    return _graph(_told(server))


def both(runtime: ServerRuntime, config: RunnableConfig, *, extra: int = 3) -> Any:
    return _graph(f"{config['configurable'].get('suffix')} {_told(runtime)} {extra}")


def by_position(config: RunnableConfig, /) -> Any:
    return _graph(config["configurable"].get("suffix"))


async def coroutine(config: RunnableConfig) -> Any:
    return _graph("coroutine").compile(name="Awaited")


@asynccontextmanager
async def async_manager(config: RunnableConfig) -> AsyncIterator[Any]:
    entered.append("async")
    try:
        yield _graph(config["configurable"].get("suffix"))
    finally:
        entered.remove("async")


@contextmanager
def manager() -> Iterator[Any]:
    entered.append("sync")
    try:
        yield _graph("manager")
    finally:
        entered.remove("sync")


class _Callable:
    def __call__(self, config: RunnableConfig) -> Any:
        return _graph(config["configurable"].get("suffix"))


instance = _Callable()


def _two(word: str, config: RunnableConfig) -> Any:
    return _graph(f"{word} {config['configurable'].get('suffix')}")


partial = functools.partial(_two, "partial")


def changes_config(config: RunnableConfig) -> Any:
    config["recursion_limit"] = 77
    config["configurable"]["suffix"] = "changed"
    return _graph("changed")


def says_purpose(config: RunnableConfig) -> Any:
    return _graph(config["configurable"]["__is_for_execution__"])


def raises(config: RunnableConfig) -> Any:
    raise ValueError("the factory broke")


def no_graph() -> Any:
    return 42


def wants_too_much(config: RunnableConfig, database: str) -> Any:
    return _graph(database)
