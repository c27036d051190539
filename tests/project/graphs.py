"""Quick graphs, one for each thing that a server has to carry."""

import operator
from typing import Annotated, Any, TypedDict

from langchain_core.messages import AIMessage, AnyMessage
from langchain_core.runnables import RunnableConfig
from langgraph.config import get_stream_writer
from langgraph.graph import END, START, StateGraph
from langgraph.graph.message import add_messages
from langgraph.types import interrupt

from robyn_server.testing.scripted_model import ScriptedModel

SENTENCE = "the quick brown fox jumps over the lazy dog"


class Chat(TypedDict):
    messages: Annotated[list[AnyMessage], add_messages]


class Log(TypedDict, total=False):
    log: Annotated[list[Any], operator.add]
    size: int


def row(state: type, *nodes: tuple[str, Any]) -> "StateGraph[Any, Any, Any, Any]":
    """Nodes one after the other."""
    builder: StateGraph[Any, Any, Any, Any] = StateGraph(state)
    before = START
    for name, node in nodes:
        builder.add_node(name, node)
        builder.add_edge(before, name)
        before = name
    builder.add_edge(before, END)
    return builder


def says(word: str) -> Any:
    """A node that adds a word to the log and tells the custom stream."""

    async def node(state: Log) -> dict[str, Any]:
        get_stream_writer()({"saying": word})
        return {"log": [word]}

    return node


async def _echo(state: Chat) -> dict[str, Any]:
    return {"messages": [AIMessage(content=f"you said: {state['messages'][-1].text}")]}


async def _ask(state: Log) -> dict[str, Any]:
    return {"log": [f"answer: {interrupt({'question': 'which?'})}"]}


async def _fail(state: Log) -> dict[str, Any]:
    raise ValueError("it went wrong")


async def _flood(state: Log) -> dict[str, Any]:
    write = get_stream_writer()
    for number in range(state.get("size", 1000)):
        write({"number": number, "filling": "x" * 1000})
    return {"log": ["flooded"]}


_model = ScriptedModel(script=[SENTENCE])


async def _talk(state: Chat, config: RunnableConfig) -> dict[str, Any]:
    return {"messages": [await _model.ainvoke(state["messages"], config)]}


echo = row(Chat, ("echo", _echo)).compile()
steps = row(Log, ("one", says("one")), ("two", says("two")), ("three", says("three"))).compile()
interrupting = row(Log, ("prepare", says("prepared")), ("ask", _ask), ("finish", says("finished"))).compile()
talk = row(Chat, ("talk", _talk)).compile()
failing = row(Log, ("first", says("first")), ("fail", _fail)).compile()
flood = row(Log, ("flood", _flood)).compile()

_grandchild = row(Log, ("leaf", says("leaf"))).compile()
_child = row(Log, ("middle", says("middle")), ("grandchild", _grandchild)).compile()
subgraphs = row(Log, ("top", says("top")), ("child", _child)).compile()
