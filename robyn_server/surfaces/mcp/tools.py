"""Assistants as tools: a call is a stateless run that is waited for."""

import orjson

from robyn_server.engine import Engine
from robyn_server.errors import BadGraph, DomainError
from robyn_server.resources.assistant import Assistant, AssistantSearch
from robyn_server.resources.types import Json, JsonObject
from robyn_server.wire.jsonrpc import INVALID_PARAMS, REFUSALS, RpcError, refusal
from robyn_server.wire.mcp import Tool, ToolOutcome, ToolPage
from robyn_server.wire.tool_schema import tool_input_schema, tool_name

PAGE = 100
SCAN = 1_000
UNDESCRIBED: tuple[type[DomainError], ...] = (*REFUSALS, BadGraph)
"""A graph that is gone, or that cannot be opened, must not hide the other tools."""


class AssistantTools:
    """`wire.mcp.Tools` for one caller."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def page(self, offset: int) -> ToolPage:
        """Newest first. Of assistants whose names make the same tool name the newest is shown; one whose name leaves
        nothing for a tool's name is no tool."""
        found = await self._engine.assistants.search(AssistantSearch(limit=PAGE, offset=offset))
        named: dict[str, Assistant] = {}
        for assistant in found.items:
            named.setdefault(tool_name(assistant.name), assistant)
        tools = [await self._tool(name, assistant) for name, assistant in named.items() if name]
        return ToolPage(tuple(tools), offset + PAGE if found.more else None)

    async def call(self, name: Json, params: JsonObject) -> ToolOutcome:
        """See `wire.mcp.Tools`. The text is Python's way to write the values, as on the reference; of an error, the
        name of its class."""
        assistant = await self._named(name)
        body: JsonObject = {"assistant_id": assistant.assistant_id, "input": params.get("arguments", {})}
        if params.get("context"):
            body["context"] = params["context"]
        runs = self._engine.runs
        try:
            run = await runs.create_stateless(body)
        except REFUSALS as error:
            raise refusal(error) from error
        values: Json = orjson.loads(await runs.wait(run))
        if isinstance(values, dict) and "__error__" in values:
            return ToolOutcome(str(values["__error__"].get("error")), failed=True)
        return ToolOutcome(str(values))

    async def _tool(self, name: str, assistant: Assistant) -> Tool:
        return Tool(
            name,
            assistant.name,
            assistant.description or f"Tool based on the {assistant.name} assistant",
            tool_input_schema(await self._input_schema(assistant)),
        )

    async def _input_schema(self, assistant: Assistant) -> Json:
        try:
            return (await self._engine.assistants.schemas(assistant.assistant_id)).get("input_schema")
        except UNDESCRIBED:
            return None

    async def _named(self, name: Json) -> Assistant:
        found: list[Assistant] = []
        more = isinstance(name, str) and bool(name)
        offset = 0
        while more:
            page = await self._engine.assistants.search(AssistantSearch(limit=SCAN, offset=offset))
            found += [assistant for assistant in page.items if tool_name(assistant.name) == name]
            more, offset = page.more, offset + SCAN
        if not found:
            raise RpcError(INVALID_PARAMS, f"Unknown tool: {name}")
        if len(found) > 1:
            raise RpcError(INVALID_PARAMS, "Multiple tools found with the same name.")
        return found[0]
