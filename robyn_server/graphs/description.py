"""What a graph looks like from outside: its JSON schemas, its drawing, its subgraphs."""

import logging
from collections.abc import Callable
from typing import Any, TypeAlias, is_typeddict

from langchain_core.runnables import RunnableConfig
from langchain_core.utils.pydantic import create_model_v2
from langgraph.channels.base import BaseChannel
from langgraph.graph.state import CompiledStateGraph
from langgraph.pregel import Pregel
from langgraph.pregel.protocol import PregelProtocol
from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from robyn_server.graphs.interfaces import Graph
from robyn_server.graphs.typed_dicts import describable
from robyn_server.resources.types import Json, JsonObject

AnyGraph: TypeAlias = PregelProtocol[Any, Any, Any, Any]
"""A graph of this process, or (as a subgraph) one that is served elsewhere."""

logger = logging.getLogger(__name__)


def schemas(graph: AnyGraph) -> JsonObject:
    """`{"input_schema", "output_schema", "state_schema", "config_schema", "context_schema"}`; a part that
    JSON schema cannot say is None. The last two both hold the context's schema: `{}` and None without one."""
    return {
        "input_schema": _part(lambda: _input_schema(graph)),
        "output_schema": _part(lambda: _output_schema(graph)),
        "state_schema": _part(lambda: state_schema(_pregel(graph))),
        "config_schema": _part(lambda: _context_schema(_pregel(graph)) or {}),
        "context_schema": _part(lambda: _context_schema(_pregel(graph))),
    }


def state_schema(graph: Graph) -> JsonObject:
    """All channels that a state shows, each with default null."""
    channels = {
        name: (describable(channel.UpdateType), None)
        for name in graph.stream_channels_list
        if isinstance(channel := graph.channels[name], BaseChannel)
    }
    title = graph.get_name("State")
    if list(channels) == ["__root__"]:
        model = create_model_v2(title, root=channels["__root__"])
    else:
        model = create_model_v2(title, field_definitions=channels)
    return model.model_json_schema(schema_generator=_Lenient)


def context_properties(graph: Graph) -> frozenset[str] | None:
    """The names of the context schema's properties, None when there is no schema or it takes anything."""
    schema = _part(lambda: _context_schema(graph))
    if not schema or "properties" not in schema or schema.get("additionalProperties"):
        return None
    return frozenset(schema["properties"])


async def drawing(graph: Graph, config: RunnableConfig, xray: bool | int) -> JsonObject:
    """`{"nodes": [{"id", "type", "data": {"name"}, "metadata"?}], "edges": [{"source", "target", "data"?,
    "conditional"?}]}`; `xray` opens all subgraphs, or those of so many levels."""
    drawn = (await graph.aget_graph(config, xray=xray)).to_json()
    for node in drawn["nodes"]:
        if isinstance(data := node.get("data"), dict):
            data.pop("id", None)
    return drawn


async def subgraphs(graph: Graph, namespace: str | None, recurse: bool) -> JsonObject:
    """Namespace (`child`, `child|grandchild`) -> schemas."""
    found = graph.aget_subgraphs(namespace=namespace, recurse=recurse)
    return {name: schemas(subgraph) async for name, subgraph in found}


def _input_schema(graph: AnyGraph) -> JsonObject:
    typed = _typed_dict_schema(graph.builder.input_schema) if isinstance(graph, CompiledStateGraph) else None
    return typed or graph.get_input_jsonschema()


def _output_schema(graph: AnyGraph) -> JsonObject:
    typed = _typed_dict_schema(graph.builder.output_schema) if isinstance(graph, CompiledStateGraph) else None
    return typed or graph.get_output_jsonschema()


def _context_schema(graph: Graph) -> JsonObject | None:
    return _typed_dict_schema(graph.context_schema) or graph.get_context_jsonschema()


def _typed_dict_schema(state: Any) -> JsonObject | None:
    """None for what is no TypedDict: LangGraph's own way is right for that."""
    return TypeAdapter(describable(state)).json_schema() if is_typeddict(state) else None


class _Lenient(GenerateJsonSchema):
    """Says `{}` of what JSON schema has no word for."""

    def handle_invalid_for_json_schema(
        self, schema: core_schema.CoreSchema, error_info: str
    ) -> JsonSchemaValue:
        return {}


def _pregel(graph: AnyGraph) -> Graph:
    if not isinstance(graph, Pregel):
        raise TypeError(f"{type(graph).__name__} runs elsewhere and does not tell")
    return graph


def _part(make: Callable[[], Json]) -> Json:
    try:
        return make()
    except Exception:  # a schema is made by the types of the project, which may raise anything
        logger.debug("No JSON schema for a part of a graph", exc_info=True)
        return None
