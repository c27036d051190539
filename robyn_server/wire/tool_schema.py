"""An assistant's name and input schema as an MCP client may use them. Pure."""

import re
from collections.abc import Iterator

from robyn_server.resources.types import Json, JsonObject

LONGEST_NAME = 128
NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9_.-]")
A_MESSAGE: JsonObject = {
    "type": "string",
    "title": "Messages",
    "description": "The user message to send to the agent.",
}
DEFINITION = "#/$defs/"
MESSAGE_KINDS = frozenset({"HumanMessage", "AIMessage", "SystemMessage", "ToolMessage"})


def tool_name(name: str) -> str:
    """Blanks become `_`, what else a tool's name may not hold goes; "" when nothing is left."""
    return NOT_IN_NAMES.sub("", name.replace(" ", "_"))[:LONGEST_NAME]


def tool_input_schema(schema: Json) -> JsonObject:
    """The schema with a list of LangChain messages made one string, and without the definitions that then nothing
    refers to. An input that is no object (or none at all) takes anything."""
    if not isinstance(schema, dict):
        return {"type": "object"}
    properties = schema.get("properties")
    if not isinstance(properties, dict) or not _is_messages(properties.get("messages")):
        return {"type": "object", **schema}
    kept = {key: value for key, value in schema.items() if key != "$defs"}
    kept["properties"] = {**properties, "messages": dict(A_MESSAGE)}
    definitions = _referred(kept, schema.get("$defs") or {})
    return {"$defs": definitions, **kept} if definitions else kept


def _is_messages(schema: Json) -> bool:
    return (
        isinstance(schema, dict)
        and schema.get("type") == "array"
        and not MESSAGE_KINDS.isdisjoint(_references(schema))
    )


def _references(schema: Json) -> Iterator[str]:
    """Names of the definitions that a schema refers to, at any depth."""
    if isinstance(schema, dict):
        reference = schema.get("$ref")
        if isinstance(reference, str) and reference.startswith(DEFINITION):
            yield reference.removeprefix(DEFINITION)
        for value in schema.values():
            yield from _references(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from _references(value)


def _referred(schema: JsonObject, definitions: JsonObject) -> JsonObject:
    found: set[str] = set()
    open_names = set(_references(schema))
    while open_names:
        name = open_names.pop()
        if name in definitions and name not in found:
            found.add(name)
            open_names |= set(_references(definitions[name]))
    return {name: value for name, value in definitions.items() if name in found}
