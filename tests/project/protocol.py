"""An agent with a tool, compiled so that the thread protocol shows all of its channels."""

from typing import Any

from graphs import Chat, Log, row
from langchain_core.messages import AIMessage
from langchain_core.runnables import RunnableConfig
from langchain_core.tools import tool
from langgraph.config import get_stream_writer
from langgraph.graph import END, START, StateGraph
from langgraph.prebuilt import ToolCallTransformer, ToolNode
from langgraph.stream import CustomTransformer, UpdatesTransformer

from robyn_server.testing.scripted_model import ScriptedModel


@tool
async def double(number: int) -> str:
    """Twice a number."""
    return str(number * 2)


_CALL = AIMessage(content="", tool_calls=[{"name": "double", "args": {"number": 21}, "id": "call_1"}])
_model = ScriptedModel(script=["It is 42."])


async def _agent(state: Chat, config: RunnableConfig) -> dict[str, Any]:
    if state["messages"][-1].type == "human":
        return {"messages": [_CALL.model_copy(update={"id": None})]}
    return {"messages": [await _model.ainvoke(state["messages"], config)]}


def _route(state: Chat) -> str:
    return "tools" if getattr(state["messages"][-1], "tool_calls", None) else END


_builder: StateGraph[Any, Any, Any, Any] = StateGraph(Chat)
_builder.add_node("agent", _agent)
_builder.add_node("tools", ToolNode([double]))
_builder.add_edge(START, "agent")
_builder.add_conditional_edges("agent", _route, ["tools", END])
_builder.add_edge("tools", "agent")
all_channels = _builder.compile(transformers=[ToolCallTransformer, UpdatesTransformer, CustomTransformer])


async def _report(state: Log) -> dict[str, Any]:
    write = get_stream_writer()
    write({"name": "progress", "step": 1})
    write({"unnamed": True})
    write({"name": "progress", "step": 2})
    return {"log": ["reported"]}


reports = row(Log, ("report", _report)).compile()
