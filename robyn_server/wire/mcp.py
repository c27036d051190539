"""The Model Context Protocol over a table of tools: stateless streamable HTTP with plain JSON answers. Pure.

call = read_call(message)            # None: a notification or response, nothing to answer
reply = await answer(call, tools, version)
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from robyn_server.resources.types import Json, JsonObject
from robyn_server.wire.jsonrpc import (
    INVALID_PARAMS,
    METHOD_NOT_FOUND,
    RpcError,
    error_reply,
    result_reply,
    shape_of,
)

VERSIONS = ("2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25")
SERVER_NAME = "LangGraph"
"""The name the reference gives itself: clients configured for it look for this one."""

ANNOTATIONS: Mapping[str, bool] = {
    "readOnlyHint": False,
    "destructiveHint": False,
    "idempotentHint": False,
    "openWorldHint": True,
}
NO_SHAPE = (
    "Invalid message format. A message is to be either a JSON-RPC request, response, or notification."
    "Please see the Messages section of the Streamable HTTP RFC for more information."
)
NO_VERSION = "Invalid JSON-RPC message. Missing or invalid jsonrpc version."
NOT_ACCEPTED = "Accept header must include application/json or text/event-stream"


class BadMessage(Exception):
    """The body is no message at all: HTTP 400 `{"error": text}`."""


@dataclass(frozen=True, slots=True)
class Tool:
    """What `tools/list` says of a tool; `input_schema` is a JSON schema of an object."""

    name: str
    title: str
    description: str
    input_schema: JsonObject


@dataclass(frozen=True, slots=True)
class ToolPage:
    """Some tools, and where the next page begins (None: this is the last)."""

    tools: tuple[Tool, ...]
    next_offset: int | None = None


@dataclass(frozen=True, slots=True)
class ToolOutcome:
    """What a call gave, as text."""

    text: str
    failed: bool = False


class Tools(Protocol):
    """A table of tools."""

    async def page(self, offset: int) -> ToolPage:
        """The tools from a place in the table on."""

    async def call(self, name: Json, params: JsonObject) -> ToolOutcome:
        """Call a tool with `params["arguments"]`. Raises `RpcError`, e.g. for an unknown name."""


@dataclass(frozen=True, slots=True)
class Call:
    """One request."""

    call_id: Json
    method: Json
    params: Json


def accepted(accept: str) -> bool:
    """Whether an `Accept` header names one of the two media types; `*/*` does not count."""
    return "application/json" in accept or "text/event-stream" in accept


def read_call(message: Json) -> Call | None:
    """The request in a body, None for a notification or response. Raises `BadMessage`."""
    if not isinstance(message, dict):
        raise BadMessage("Invalid message format.")
    if message.get("jsonrpc") != "2.0":
        raise BadMessage(NO_VERSION)
    shape = shape_of(message)
    if shape == "request":
        return Call(message["id"], message["method"], message.get("params"))
    # A request whose id is null cannot be answered: it is taken for a notification.
    if shape == "nothing" and "method" not in message:
        raise BadMessage(NO_SHAPE)
    return None


async def answer(call: Call, tools: Tools, version: str) -> JsonObject:
    """The envelope that answers a request; `version` is what the server says of itself."""
    try:
        return result_reply(call.call_id, await _result(call, tools, version))
    except RpcError as error:
        return error_reply(call.call_id, error)


async def _result(call: Call, tools: Tools, version: str) -> JsonObject:
    params = {} if call.params is None else call.params
    if not isinstance(params, dict):
        raise RpcError(INVALID_PARAMS, "Invalid params: must be an object")
    if call.method == "initialize":
        return _initialize(params, version)
    if call.method == "ping":
        return {}
    if call.method == "tools/list":
        return _listing(await tools.page(_offset(params.get("cursor"))))
    if call.method == "tools/call":
        return _content(await tools.call(params.get("name"), params))
    raise RpcError(METHOD_NOT_FOUND, f"Method not found: {call.method}")


def _initialize(params: JsonObject, version: str) -> JsonObject:
    asked = params.get("protocolVersion")
    return {
        "protocolVersion": asked if asked in VERSIONS else VERSIONS[-1],
        "capabilities": {"tools": {"listChanged": False}},
        "serverInfo": {"name": SERVER_NAME, "version": version},
    }


def _offset(cursor: Json) -> int:
    """Whatever is no place in the table means its beginning, as on the reference."""
    if isinstance(cursor, bool) or not isinstance(cursor, int | str):
        return 0
    try:
        return max(0, int(cursor))
    except ValueError:
        return 0


def _listing(page: ToolPage) -> JsonObject:
    listing: JsonObject = {"tools": [_tool(tool) for tool in page.tools]}
    if page.next_offset is not None:
        listing["nextCursor"] = str(page.next_offset)
    return listing


def _tool(tool: Tool) -> JsonObject:
    return {
        "name": tool.name,
        "title": tool.title,
        "description": tool.description,
        "inputSchema": tool.input_schema,
        "annotations": dict(ANNOTATIONS),
    }


def _content(outcome: ToolOutcome) -> JsonObject:
    content: JsonObject = {"content": [{"type": "text", "text": outcome.text}]}
    return {"isError": True, **content} if outcome.failed else content
