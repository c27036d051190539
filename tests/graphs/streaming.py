"""Small graphs that show every kind of chunk."""

import operator
from typing import Annotated, Any, TypedDict

from langchain_core.messages import AIMessage, AnyMessage
from langchain_core.runnables import RunnableConfig
from langchain_core.tools import tool
from langgraph.config import get_stream_writer
from langgraph.graph import END, START, StateGraph
from langgraph.graph.message import add_messages
from langgraph.prebuilt import ToolNode
from langgraph.types import interrupt

from robyn_server.testing.scripted_model import ScriptedModel, tool_call


class Talk(TypedDict):
    messages: Annotated[list[AnyMessage], add_messages]


class Steps(TypedDict, total=False):
    log: Annotated[list[Any], operator.add]


@tool
async def weather(city: str) -> str:
    """Weather of a city."""
    return f"sunny in {city}"


def builder(state: type, *nodes: tuple[str, Any]) -> StateGraph:
    """Nodes in a row."""
    graph = StateGraph(state)
    for name, node in nodes:
        graph.add_node(name, node)
    for before, after in zip(
        [START, *(name for name, _ in nodes)], [*(name for name, _ in nodes), END], strict=True
    ):
        graph.add_edge(before, after)
    return graph


def talking(model: ScriptedModel) -> StateGraph:
    async def agent(state: Talk, config: RunnableConfig) -> Any:
        return {"messages": [await model.ainvoke(state["messages"], config)]}

    return builder(Talk, ("agent", agent))


def react(calls: int = 1) -> StateGraph:
    """Calls the weather tool, so many times at once, then answers."""
    asked = [
        chunk
        for index in range(calls)
        for chunk in tool_call("weather", ['{"city": ', '"Rome"}'], f"call_{index + 1}", index)
    ]
    model = ScriptedModel(script=[asked, "it is sunny"])

    async def agent(state: Talk, config: RunnableConfig) -> Any:
        return {"messages": [await model.ainvoke(state["messages"], config)]}

    graph = StateGraph(Talk)
    graph.add_node("agent", agent)
    graph.add_node("tools", ToolNode([weather]))
    graph.add_edge(START, "agent")
    graph.add_conditional_edges(
        "agent", lambda state: "tools" if state["messages"][-1].tool_calls else END, ["tools", END]
    )
    graph.add_edge("tools", "agent")
    return graph


def canned() -> StateGraph:
    async def node(state: Talk) -> Any:
        return {"messages": [AIMessage(content="ready-made", id="canned-1")]}

    return builder(Talk, ("node", node))


def writing(*values: Any) -> StateGraph:
    """One node that writes to the custom stream."""

    async def node(state: Steps) -> Any:
        write = get_stream_writer()
        for value in values:
            write(value)
        return {"log": ["written"]}

    return builder(Steps, ("node", node))


def step(name: str) -> Any:
    async def node(state: Steps) -> Any:
        return {"log": [name]}

    return node


def asking() -> StateGraph:
    async def ask(state: Steps) -> Any:
        return {"log": [interrupt({"question": "name?"})]}

    return builder(Steps, ("prep", step("prep")), ("ask", ask))


def nested(inner: StateGraph) -> StateGraph:
    return builder(Talk if inner.state_schema is Talk else Steps, ("inner", inner.compile()))


def failing(error: Exception) -> StateGraph:
    async def fail(state: Steps) -> Any:
        raise error

    return builder(Steps, ("fail", fail))
