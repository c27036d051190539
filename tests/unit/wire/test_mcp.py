"""The protocol over a table of tools, without a server."""

from typing import Any

import pytest

from robyn_server.resources.types import Json, JsonObject
from robyn_server.wire.jsonrpc import INVALID_PARAMS, RpcError
from robyn_server.wire.mcp import (
    BadMessage,
    Call,
    Tool,
    ToolOutcome,
    ToolPage,
    accepted,
    answer,
    read_call,
)


class Numbers:
    """Ten tools a page, twelve in all; each says its own name."""

    async def page(self, offset: int) -> ToolPage:
        tools = tuple(
            Tool(f"t{n}", f"T {n}", "", {"type": "object"}) for n in range(12)[offset : offset + 10]
        )
        return ToolPage(tools, offset + 10 if offset < 2 else None)

    async def call(self, name: Json, params: JsonObject) -> ToolOutcome:
        if name == "broken":
            return ToolOutcome("ValueError", failed=True)
        if name is None:
            raise RpcError(INVALID_PARAMS, "Unknown tool: None")
        return ToolOutcome(f"{name} {params['arguments']}")


async def ask(method: str, params: Json = None) -> Any:
    return await answer(Call(7, method, params), Numbers(), "1.2.3")


@pytest.mark.parametrize(
    ("asked", "given"),
    [
        ("2024-11-05", "2024-11-05"),
        ("2025-11-25", "2025-11-25"),
        ("1999-01-01", "2025-11-25"),
        (5, "2025-11-25"),
    ],
)
async def test_initialize_agrees_on_a_version(asked: Json, given: str) -> None:
    result = (await ask("initialize", {"protocolVersion": asked}))["result"]
    assert result == {
        "protocolVersion": given,
        "capabilities": {"tools": {"listChanged": False}},
        "serverInfo": {"name": "LangGraph", "version": "1.2.3"},
    }


async def test_ping_and_unknown_methods() -> None:
    assert await ask("ping") == {"jsonrpc": "2.0", "id": 7, "result": {}}
    assert (await ask("prompts/list"))["error"] == {
        "code": -32601,
        "message": "Method not found: prompts/list",
    }
    assert (await ask("tools/list", []))["error"]["code"] == INVALID_PARAMS


async def test_pages_of_tools() -> None:
    first = (await ask("tools/list"))["result"]
    assert [tool["name"] for tool in first["tools"]] == [f"t{n}" for n in range(10)]
    second = (await ask("tools/list", {"cursor": first["nextCursor"]}))["result"]
    assert [tool["name"] for tool in second["tools"]] == ["t10", "t11"]
    assert "nextCursor" not in second


@pytest.mark.parametrize("cursor", ["x", -5, True, [1], None])
async def test_a_cursor_that_is_none_means_the_first_page(cursor: Json) -> None:
    assert (await ask("tools/list", {"cursor": cursor}))["result"]["tools"][0]["name"] == "t0"


async def test_calls() -> None:
    called = await ask("tools/call", {"name": "a", "arguments": {"b": None}})
    assert called["result"] == {"content": [{"type": "text", "text": "a {'b': None}"}]}
    failed = await ask("tools/call", {"name": "broken"})
    assert failed["result"] == {"isError": True, "content": [{"type": "text", "text": "ValueError"}]}
    assert (await ask("tools/call", {}))["error"]["message"] == "Unknown tool: None"


@pytest.mark.parametrize("message", [[], "x", None, {"id": 1}, {"jsonrpc": "1.0", "id": 1, "method": "ping"}])
def test_what_is_no_message(message: Json) -> None:
    with pytest.raises(BadMessage):
        read_call(message)


@pytest.mark.parametrize("rest", [{"method": "x"}, {"method": "x", "id": None}, {"id": 1, "result": {}}])
def test_what_needs_no_answer(rest: JsonObject) -> None:
    assert read_call({"jsonrpc": "2.0", **rest}) is None


def test_media_types() -> None:
    assert accepted("application/json, text/event-stream") and accepted("text/event-stream")
    assert not accepted("*/*") and not accepted("")
