"""Assistants as tools, for the official client and for plain requests."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from langgraph_sdk.client import LangGraphClient
from mcp import ClientSession
from mcp.client.streamable_http import streamable_http_client

from tests.server_process import ServerProcess

ACCEPT = {"accept": "application/json, text/event-stream"}


@asynccontextmanager
async def session(server: ServerProcess) -> AsyncIterator[ClientSession]:
    """The official client, introduced."""
    async with (
        streamable_http_client(f"{server.url}/mcp") as (read, write, _),
        ClientSession(read, write) as opened,
    ):
        introduced = await opened.initialize()
        assert introduced.serverInfo.name == "LangGraph"
        yield opened


def said(result: Any) -> str:
    (content,) = result.content
    text: str = content.text
    return text


async def test_the_official_client_lists_and_calls(server: ServerProcess) -> None:
    async with session(server) as mcp:
        listed = await mcp.list_tools()
        echo = next(tool for tool in listed.tools if tool.name == "echo")
        assert echo.inputSchema["properties"]["messages"]["type"] == "string"
        assert "$defs" not in echo.inputSchema
        assert "'content': 'you said: hi'" in said(await mcp.call_tool("echo", {"messages": "hi"}))
        assert said(await mcp.call_tool("steps", {})) == "{'log': ['one', 'two', 'three']}"
        asked = said(await mcp.call_tool("interrupting", {}))
        assert asked.startswith("{'log': ['prepared'], '__interrupt__': [{'value': {'question': 'which?'}")


async def test_a_failing_run_is_a_result_that_says_so(server: ServerProcess) -> None:
    async with session(server) as mcp:
        failed = await mcp.call_tool("failing", {})
        assert failed.isError and said(failed) == "ValueError"


async def test_a_call_longer_than_a_proxys_patience(server: ServerProcess) -> None:
    """The body is kept open by newlines, which the client does not mind."""
    async with session(server) as mcp:
        result = await mcp.call_tool("slow", {"rounds": 6, "pause": 1.0})
        assert "step5" in said(result)


async def test_the_official_client_turns_pages(server: ServerProcess, client: LangGraphClient) -> None:
    made = [await client.assistants.create("steps", name=f"many {number}") for number in range(101)]
    try:
        async with session(server) as mcp:
            first = await mcp.list_tools()
            assert len(first.tools) == 100 and first.nextCursor is not None
            second = await mcp.list_tools(cursor=first.nextCursor)
            names = {tool.name for tool in (*first.tools, *second.tools)}
            assert {f"many_{number}" for number in range(101)} | {"echo"} <= names
    finally:
        for assistant in made:
            await client.assistants.delete(assistant["assistant_id"])


async def test_two_assistants_of_one_name(server: ServerProcess, client: LangGraphClient) -> None:
    made = [await client.assistants.create("steps", name="twice") for _ in range(2)]
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "twice"}}
    try:
        async with httpx.AsyncClient(base_url=server.url, headers=ACCEPT) as http:
            error = (await http.post("/mcp", json=body)).json()["error"]
    finally:
        for assistant in made:
            await client.assistants.delete(assistant["assistant_id"])
    assert error == {"code": -32602, "message": "Multiple tools found with the same name."}


@pytest.mark.parametrize(
    ("method", "content", "accept", "status", "text"),
    [
        ("GET", "", "application/json", 405, ""),
        ("DELETE", "", "application/json", 404, ""),
        ("POST", "{", "application/json", 400, '{"error":"Invalid JSON"}'),
        ("POST", "[]", "application/json", 400, '{"error":"Invalid message format."}'),
        ("POST", '{"jsonrpc":"2.0","method":"notifications/initialized"}', "application/json", 202, ""),
        (
            "POST",
            '{"jsonrpc":"2.0","id":1,"method":"ping"}',
            "*/*",
            400,
            '{"error":"Accept header must include application/json or text/event-stream"}',
        ),
    ],
)
def test_what_is_told_by_http(
    server: ServerProcess, method: str, content: str, accept: str, status: int, text: str
) -> None:
    answer = httpx.request(method, f"{server.url}/mcp", content=content, headers={"accept": accept})
    assert (answer.status_code, answer.text) == (status, text)
