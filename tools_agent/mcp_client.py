"""One MCP server over streamable HTTP: its tools as tools of the agent.

Heavy to import (the mcp package and its adapter): only `mcp_tools` may, and only when an assistant names a server.
"""

import asyncio
import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any, cast

import httpx
from langchain_core.tools import BaseTool, StructuredTool, ToolException
from langchain_mcp_adapters.sessions import StreamableHttpConnection
from langchain_mcp_adapters.tools import convert_mcp_tool_to_langchain_tool
from langgraph.types import interrupt
from mcp import ClientSession, McpError
from mcp.types import ErrorData
from mcp.types import Tool as McpTool

from tools_agent.mcp_servers import WantedServer
from tools_agent.mcp_session import McpSession
from tools_agent.outbound import Outbound
from tools_agent.toolbox import Toolbox

INTERACTION_REQUIRED = -32003
LIST_SECONDS = 10
CALL_SECONDS = 120
MAX_PAGES = 100

# What goes wrong between us and a server; a group holds what went wrong in the session's own tasks.
FAILURES = (McpError, httpx.HTTPError, httpx.InvalidURL, OSError, TimeoutError, ExceptionGroup)


class Unreachable(Exception):
    """The server did not tell its tools; the text says why, without details of the network."""


class McpClient:
    """Asks one server, for one run, in one session."""

    def __init__(self, server: WantedServer, token: str | None, outbound: Outbound, interrupts: bool) -> None:
        self._server = server
        self._interrupts = interrupts
        connection = StreamableHttpConnection(
            transport="streamable_http",
            url=server.endpoint,
            headers={"Authorization": f"Bearer {token}"} if token else {},
            timeout=timedelta(seconds=LIST_SECONDS),
            sse_read_timeout=timedelta(seconds=CALL_SECONDS),
            httpx_client_factory=lambda headers=None, timeout=None, auth=None: outbound.client(
                headers=headers, timeout=timeout, auth=auth
            ),
        )
        self._session = McpSession(connection)

    async def toolbox(self) -> Toolbox:
        """The wanted tools that the server has, and a sentence on those that it has not. Raises `Unreachable`."""
        try:
            async with asyncio.timeout(LIST_SECONDS):
                found = await self._listed()
        except FAILURES as error:
            raise Unreachable(_reason(error)) from error
        lacking = sorted((self._server.tools or frozenset()) - found.keys())
        missing = (f"MCP server '{self._server.name}' has no tool {', '.join(lacking)}",) if lacking else ()
        return Toolbox(tuple(self._tool(tool) for tool in found.values()), missing)

    async def _listed(self) -> dict[str, McpTool]:
        wanted = self._server.tools
        found: dict[str, McpTool] = {}
        cursor: str | None = None
        for _ in range(MAX_PAGES):
            page = await self._session.list_tools(cursor=cursor)
            for tool in page.tools:
                if wanted is None or tool.name in wanted:
                    found.setdefault(tool.name, tool)
            cursor = page.nextCursor
            if not cursor or (wanted is not None and found.keys() >= wanted):
                break
        return found

    def _tool(self, tool: McpTool) -> BaseTool:
        # The adapter only ever calls tools on it.
        session = cast(ClientSession, self._session)
        converted = convert_mcp_tool_to_langchain_tool(session, tool, server_name=self._server.name)
        assert isinstance(converted, StructuredTool) and converted.coroutine is not None
        call = converted.coroutine

        async def called(**arguments: Any) -> tuple[Any, Any]:
            while True:
                try:
                    async with asyncio.timeout(CALL_SECONDS):
                        content, artifact = await call(**arguments)
                    return _text_of(content), artifact
                except NotImplementedError as error:
                    raise ToolException(
                        f"The tool {tool.name} answered with what cannot be shown."
                    ) from error
                except FAILURES as error:
                    self._explain(error, tool.name, arguments)

        # Errors are left to the agent's tool node, which makes the one kind of message for all tools.
        return converted.model_copy(update={"coroutine": called, "handle_tool_error": False})

    def _explain(self, error: Exception, tool: str, arguments: dict[str, Any]) -> None:
        """Raises what the model shall read. Returns only when a human has done what was asked: then call again."""
        wanted = _interaction(error)
        if wanted is None:
            refusal = _mcp_error(error)
            if refusal is not None:
                raise ToolException(f"MCP error {refusal.code}: {refusal.message}") from error
            raise ToolException(
                f"MCP server '{self._server.name}' could not run {tool}: {_reason(error)}"
            ) from error
        text, url = wanted
        description = f"{text} {url}".strip()
        if not self._interrupts:
            raise ToolException(description) from error
        answer = interrupt(
            {
                "action_request": {"action": tool, "args": {**arguments, "url": url}},
                "config": {
                    "allow_accept": True,
                    "allow_ignore": True,
                    "allow_edit": False,
                    "allow_respond": False,
                },
                "description": description,
            }
        )
        if not _accepted(answer):
            raise ToolException(f"The user did not follow this request: {description}") from error


def _accepted(answer: Any) -> bool:
    """Inboxes answer with `[{"type": "accept", "args"}]`, people with `{"type": ...}`, `true` or `"accept"`."""
    if isinstance(answer, list):
        answer = answer[0] if answer else None
    if isinstance(answer, dict):
        answer = answer.get("type")
    return answer is True or answer == "accept"


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from _leaves(inner)
    else:
        yield error


def _mcp_error(error: Exception) -> ErrorData | None:
    return next((leaf.error for leaf in _leaves(error) if isinstance(leaf, McpError)), None)


def _interaction(error: Exception) -> tuple[str, str] | None:
    """The text and the link of the first `interaction_required` error."""
    for leaf in _leaves(error):
        if isinstance(leaf, McpError) and leaf.error.code == INTERACTION_REQUIRED:
            data = leaf.error.data if isinstance(leaf.error.data, dict) else {}
            message = data.get("message")
            text = message.get("text") if isinstance(message, dict) else None
            return text or "Required interaction", str(data.get("url") or "")
    return None


def _reason(error: Exception) -> str:
    leaves = list(_leaves(error))
    for leaf in leaves:
        if isinstance(leaf, httpx.HTTPStatusError):
            return f"the server answered with status {leaf.response.status_code}"
        if isinstance(leaf, McpError):
            return f"the server answered: {leaf.error.message}"
    if any(isinstance(leaf, TimeoutError | httpx.TimeoutException) for leaf in leaves):
        return "the server took too long"
    return "the server could not be reached"


def _text_of(content: Any) -> Any:
    """Text blocks as one text; anything with an image or a file stays a list of blocks."""
    if not isinstance(content, list):
        return content if isinstance(content, str) else json.dumps(content, default=str)
    if all(isinstance(block, dict) and block.get("type") == "text" for block in content):
        return "\n".join(block["text"] for block in content)
    return content
