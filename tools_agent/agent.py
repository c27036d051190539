"""The agent: a model that answers or calls tools, and the tools, until there is an answer."""

import asyncio
import logging
import os
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, TypeAlias, TypedDict, cast

from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.messages import AIMessage, AnyMessage
from langchain_core.runnables import RunnableConfig
from langchain_core.tools import BaseTool, ToolException
from langgraph.graph import START, StateGraph
from langgraph.graph.message import add_messages
from langgraph.graph.state import CompiledStateGraph
from langgraph.prebuilt import ToolNode
from langgraph.prebuilt.tool_node import ToolInvocationError

from tools_agent.calculator import calculator
from tools_agent.caller import caller_from
from tools_agent.configuration import GraphConfigPydantic, configuration_from
from tools_agent.demo_model import DemoModel
from tools_agent.mcp_tools import mcp_toolbox
from tools_agent.models import chat_model
from tools_agent.outbound import outbound_for
from tools_agent.prompts import system_message, with_all_calls_answered
from tools_agent.rag_tools import rag_toolbox
from tools_agent.toolbox import Toolbox, merged

logger = logging.getLogger(__name__)


class Conversation(TypedDict):
    """The state: messages, new ones appended, those with a known id replaced."""

    messages: Annotated[list[AnyMessage], add_messages]


Agent: TypeAlias = CompiledStateGraph[Any, Any, Any, Any]


async def graph(config: RunnableConfig) -> Agent:
    """The agent of one assistant. Asks MCP and document servers for their tools; those that do not answer are left out.

    Raises `ValueError` for settings that cannot be used, such as a model without its key.
    """
    configurable = _merge_assistant_configurable_into_run_config(config).get("configurable", {})
    if configurable.get("__is_for_execution__") is False:
        # Somebody looks at schemas or a drawing, or edits a state: no reason to reach for models and servers.
        return _compiled(None, Toolbox(), None)
    configuration = configuration_from(configurable)
    caller = caller_from(configurable, config.get("metadata") or {})
    outbound = outbound_for(bool(caller.identity), os.environ)
    if configuration.base_url:
        await outbound.check(configuration.base_url)
    model = await asyncio.to_thread(
        chat_model,
        configuration,
        configurable.get("apiKeys") or {},
        http_client=outbound.model_client() if configuration.base_url else None,
    )
    boxes = await asyncio.gather(
        mcp_toolbox(configuration.mcp_config, caller, outbound),
        rag_toolbox(configuration.rag, caller, outbound),
    )
    own = Toolbox((calculator,)) if isinstance(model, DemoModel) else Toolbox()
    return _compiled(model, merged((own, *boxes)), configuration.system_prompt)


def _merge_assistant_configurable_into_run_config(config: RunnableConfig) -> RunnableConfig:
    """The config with an assistant's values below the run's own: some servers hand them over side by side, as
    `assistant.configurable`, `assistant_config.configurable` or `assistant_configurable`."""
    configurable = config.get("configurable") or {}
    below: dict[str, Any] = {}
    for holder in ("assistant", "assistant_config"):
        below |= _mapping(_mapping(configurable.get(holder)).get("configurable"))
    below |= _mapping(configurable.get("assistant_configurable"))
    if not below:
        return config
    return cast(RunnableConfig, {**config, "configurable": {**below, **configurable}})


def _mapping(value: object) -> dict[str, Any]:
    return dict(value) if isinstance(value, Mapping) else {}


def _compiled(model: BaseChatModel | None, toolbox: Toolbox, system_prompt: str | None) -> Agent:
    tools = toolbox.tools
    builder = StateGraph(Conversation, context_schema=GraphConfigPydantic)
    builder.add_node("agent", _speaker(model, tools, system_prompt, toolbox.missing))
    builder.add_node("tools", ToolNode(tools, handle_tool_errors=_told_to_the_model))
    builder.add_edge(START, "agent")
    builder.add_conditional_edges("agent", _next)
    builder.add_edge("tools", "agent")
    return builder.compile()


def _speaker(
    model: BaseChatModel | None, tools: Sequence[BaseTool], system_prompt: str | None, missing: Sequence[str]
) -> Any:
    # Without tools none are named: some servers refuse requests that speak of tools at all.
    bound = model.bind_tools(tools) if model is not None and tools else model
    instructions = system_message(system_prompt, missing)

    async def agent(state: Conversation, config: RunnableConfig) -> dict[str, list[AnyMessage]]:
        if bound is None:
            raise RuntimeError("This graph was opened to be looked at, not to be run.")
        heard = [instructions, *with_all_calls_answered(state["messages"])]
        return {"messages": [await bound.ainvoke(heard, config)]}

    return agent


def _next(state: Conversation) -> Literal["tools", "__end__"]:
    last = state["messages"][-1]
    return "tools" if isinstance(last, AIMessage) and last.tool_calls else "__end__"


def _told_to_the_model(error: Exception) -> str:
    """A failed tool is an answer, not the end of the run. What tools say on purpose is passed on; the text of any other
    exception may tell of hosts and keys."""
    if isinstance(error, ToolException):
        return str(error)
    if isinstance(error, ToolInvocationError):
        return error.message
    logger.warning("A tool failed", exc_info=error)
    return f"The tool failed ({type(error).__name__})."
