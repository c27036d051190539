"""What the engine and the worker may ask of the graphs."""

from contextlib import AbstractAsyncContextManager
from typing import Any, Literal, Protocol, TypeAlias

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.pregel import Pregel
from langgraph.store.base import BaseStore

from robyn_server.resources.types import Json, JsonObject

Graph: TypeAlias = Pregel[Any, Any, Any, Any]
"""A compiled graph, whatever its state."""

Purpose = Literal["threads.create_run", "threads.read", "threads.update", "assistants.read"]
"""Why a graph is opened; factories that take a runtime see it as `access_context`."""


class Graphs(Protocol):
    """The graphs of langgraph.json, by id."""

    def ids(self) -> tuple[str, ...]:
        """In the order of langgraph.json."""

    def description(self, graph_id: str) -> str | None:
        """The `description` of the `{"path", "description"}` form."""

    def open(
        self,
        graph_id: str,
        config: RunnableConfig,
        *,
        checkpointer: BaseCheckpointSaver[str] | None,
        store: BaseStore | None,
        purpose: Purpose = "threads.create_run",
        context: Json = None,
    ) -> AbstractAsyncContextManager[Graph]:
        """The graph for one use: factories are called with `config` (and runtime), context managers entered
        and left. A ready graph costs one shallow copy. The checkpointer and store given here replace the
        graph's own; `checkpointer=None` means none (a stateless run)."""

    async def name(self, graph_id: str) -> str:
        """The display name of a graph: the compiled graph's name unless it is LangGraph's default."""

    async def schemas(self, graph_id: str, config: RunnableConfig) -> JsonObject:
        """`{"graph_id", "input_schema", "output_schema", "state_schema", "config_schema",
        "context_schema"}`."""

    async def drawing(self, graph_id: str, config: RunnableConfig, xray: bool | int) -> JsonObject:
        """`{"nodes", "edges"}` for `GET /assistants/{id}/graph`."""

    async def subgraphs(
        self, graph_id: str, config: RunnableConfig, namespace: str | None, recurse: bool
    ) -> JsonObject:
        """Namespace -> schemas (without graph_id)."""

    def context_properties(self, graph_id: str) -> frozenset[str] | None:
        """The property names of the graph's context schema, None when it has none or takes anything."""
