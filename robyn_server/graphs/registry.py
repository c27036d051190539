"""Graph id -> graph, made ready for one use."""

import copy
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from typing import TypeAlias

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph import StateGraph
from langgraph.pregel import Pregel
from langgraph.store.base import BaseStore

from robyn_server.errors import BadGraph, NotFound, StartupError
from robyn_server.graphs import description
from robyn_server.graphs.config_file import ConfigFile, GraphSpec
from robyn_server.graphs.dependencies import extend_path
from robyn_server.graphs.factory import BadFactory, Factory, Occasion, factory_from, made_by
from robyn_server.graphs.interfaces import Graph, Purpose
from robyn_server.graphs.loader import load
from robyn_server.resources.types import Json, JsonObject

DEFAULT_NAME = "LangGraph"

Source: TypeAlias = Graph | Factory
"""A ready graph, or what makes one for each use."""


def source_of(config_file: ConfigFile, graph_id: str, spec: GraphSpec) -> Source:
    """Load one graph. A factory is not called. Raises `StartupError`."""
    found = load(config_file, f"Graph '{graph_id}'", spec)
    if isinstance(found, Pregel):
        return found
    if isinstance(found, StateGraph):
        try:
            return found.compile()
        except ValueError as error:
            raise StartupError(
                f"Graph '{graph_id}' does not compile: {error}. Correct {spec.location}."
            ) from error
    if not callable(found):
        raise StartupError(
            f"Graph '{graph_id}': {spec.target} is {type(found).__name__}, neither a graph nor a function "
            f"that makes one; correct what stands after the colon in {spec.place}."
        )
    try:
        return factory_from(found)
    except BadFactory as error:
        raise StartupError(f"Graph '{graph_id}': {spec.target} {error}; correct its signature.") from error


class GraphRegistry:
    """The graphs of one langgraph.json, all imported by the constructor (`interfaces.Graphs`).

    `store` is what factories see when a graph is opened only to be described.
    Raises `StartupError` when one of them cannot be loaded.
    """

    def __init__(self, config_file: ConfigFile, store: BaseStore | None = None) -> None:
        extend_path(config_file)
        self._specs = config_file.graphs
        self._sources = {
            graph_id: source_of(config_file, graph_id, spec) for graph_id, spec in config_file.graphs.items()
        }
        self._store = store
        self._schemas: dict[str, JsonObject] = {}
        self._context_properties: dict[str, frozenset[str] | None] = {}

    def ids(self) -> tuple[str, ...]:
        """In the order of langgraph.json."""
        return tuple(self._sources)

    def description(self, graph_id: str) -> str | None:
        """The `description` of the `{"path", "description"}` form. Raises `NotFound`."""
        self._source(graph_id)
        return self._specs[graph_id].description

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
        """See `interfaces.Graphs.open`. Raises `NotFound` at once, `BadGraph` when a factory gives something
        else than a graph; what a factory raises comes out as it is."""
        source = self._source(graph_id)
        if isinstance(source, Pregel):
            return nullcontext(_prepared(source, graph_id, checkpointer, store))
        occasion = Occasion(config, store, purpose, context)
        return _opened(source, graph_id, occasion, checkpointer)

    async def name(self, graph_id: str) -> str:
        """The compiled graph's name unless it is LangGraph's default; a factory's graphs go by their id."""
        source = self._source(graph_id)
        if isinstance(source, Pregel) and source.name != DEFAULT_NAME:
            return source.name
        return graph_id

    async def schemas(self, graph_id: str, config: RunnableConfig) -> JsonObject:
        """What `description.schemas` says, with `graph_id`; kept for a ready graph, so not to be changed."""
        if graph_id in self._schemas:
            return self._schemas[graph_id]
        async with self._described(graph_id, config) as graph:
            found = {"graph_id": graph_id, **description.schemas(graph)}
        if isinstance(self._source(graph_id), Pregel):
            self._schemas[graph_id] = found
        return found

    async def drawing(self, graph_id: str, config: RunnableConfig, xray: bool | int) -> JsonObject:
        """`{"nodes", "edges"}`."""
        async with self._described(graph_id, config) as graph:
            return await description.drawing(graph, config, xray)

    async def subgraphs(
        self, graph_id: str, config: RunnableConfig, namespace: str | None, recurse: bool
    ) -> JsonObject:
        """Namespace -> schemas (without graph_id)."""
        async with self._described(graph_id, config) as graph:
            return await description.subgraphs(graph, namespace, recurse)

    def context_properties(self, graph_id: str) -> frozenset[str] | None:
        """The property names of the graph's context schema; None when it has none or takes anything, and for
        a factory, whose graph is not known before it is called."""
        source = self._source(graph_id)
        if not isinstance(source, Pregel):
            return None
        if graph_id not in self._context_properties:
            self._context_properties[graph_id] = description.context_properties(source)
        return self._context_properties[graph_id]

    def _source(self, graph_id: str) -> Source:
        try:
            return self._sources[graph_id]
        except KeyError:
            raise NotFound(
                f"Graph '{graph_id}' not found. Expected one of: {sorted(self._sources)}"
            ) from None

    def _described(self, graph_id: str, config: RunnableConfig) -> AbstractAsyncContextManager[Graph]:
        return self.open(graph_id, config, checkpointer=None, store=self._store, purpose="assistants.read")


def _prepared(
    graph: Graph, graph_id: str, checkpointer: BaseCheckpointSaver[str] | None, store: BaseStore | None
) -> Graph:
    # Not Pregel.copy: that validates the graph again (six times as slow) and drops its allowlist of types.
    prepared = copy.copy(graph)
    prepared.checkpointer = checkpointer
    prepared.store = store
    if prepared.name == DEFAULT_NAME:
        prepared.name = graph_id
    return prepared


@asynccontextmanager
async def _opened(
    factory: Factory, graph_id: str, occasion: Occasion, checkpointer: BaseCheckpointSaver[str] | None
) -> AsyncIterator[Graph]:
    async with made_by(factory, occasion) as (made, changed):
        graph = made.compile() if isinstance(made, StateGraph) else made
        if not isinstance(graph, Pregel):
            raise BadGraph(
                f"Graph '{graph_id}' is not valid. Review graph registration. "
                f"Its factory gave {type(graph).__name__}."
            )
        prepared = _prepared(graph, graph_id, checkpointer, occasion.store)
        yield prepared.with_config(changed) if changed else prepared
