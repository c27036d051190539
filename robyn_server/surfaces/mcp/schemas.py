"""Messages of the Model Context Protocol, for the OpenAPI document; `wire/mcp.py` checks them."""

from collections.abc import Mapping, Sequence

from robyn_server.resources.types import Json, JsonObject
from robyn_server.wire.mcp import VERSIONS

VERSION: JsonObject = {"type": "string", "enum": ["2.0"]}
ID: JsonObject = {"type": ["string", "integer"], "description": "Comes back in the answer."}


def message(properties: JsonObject, required: Sequence[str]) -> JsonObject:
    """A JSON-RPC envelope."""
    return {
        "type": "object",
        "properties": {"jsonrpc": VERSION, **properties},
        "required": ["jsonrpc", *required],
    }


def request(method: str, params: JsonObject, *required: str) -> JsonObject:
    """A request of one method."""
    fields: JsonObject = {"id": ID, "method": {"type": "string", "enum": [method]}, "params": params}
    return message(fields, ("id", "method", *required))


INITIALIZE: JsonObject = {
    "type": "object",
    "properties": {
        "protocolVersion": {"type": "string", "enum": list(VERSIONS)},
        "capabilities": {"type": "object"},
        "clientInfo": {"type": "object"},
    },
}
CALL: JsonObject = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "description": "The tool: an assistant's name."},
        "arguments": {"type": "object", "description": "The input of its graph."},
        "context": {"type": "object", "description": "What the graph reads as `runtime.context`."},
    },
    "required": ["name"],
}
PAGE: JsonObject = {
    "type": "object",
    "properties": {"cursor": {"type": "string", "description": "Where the page begins."}},
}

SCHEMAS: Mapping[str, Json] = {
    "McpMessage": {
        "description": "A JSON-RPC 2.0 request, notification or response.",
        "anyOf": [
            request("initialize", INITIALIZE),
            request("ping", {"type": "object"}),
            request("tools/list", PAGE),
            request("tools/call", CALL, "params"),
            message({"method": {"type": "string"}, "params": {"type": "object"}}, ("method",)),
            message({"id": ID, "result": {"type": "object"}}, ("id", "result")),
        ],
    },
    "McpAnswer": message(
        {
            "id": ID,
            "result": {"type": "object"},
            "error": {
                "type": "object",
                "properties": {"code": {"type": "integer"}, "message": {"type": "string"}},
                "required": ["code", "message"],
            },
        },
        ("id",),
    ),
    "McpRefusal": {
        "type": "object",
        "properties": {"error": {"type": "string"}},
        "required": ["error"],
    },
}
