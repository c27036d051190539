"""Ready graphs and one builder: what a langgraph.json usually names."""

import operator
from dataclasses import dataclass
from typing import Annotated, Any, TypedDict

from langchain_core.messages import AIMessage, AnyMessage
from langchain_core.runnables import RunnableConfig
from langgraph.graph import END, START, StateGraph
from langgraph.graph.message import add_messages
from langgraph.types import interrupt


class Chat(TypedDict):
    messages: Annotated[list[AnyMessage], add_messages]


class Log(TypedDict, total=False):
    log: Annotated[list[str], operator.add]
    note: str


@dataclass
class Tone:
    tone: str = "calm"
    size: int = 1


def _answer(state: Chat) -> dict[str, Any]:
    return {"messages": [AIMessage(content=f"you said: {state['messages'][-1].content}")]}


def _seen(state: Log, config: RunnableConfig) -> dict[str, Any]:
    return {"log": [str(config["configurable"].get("thread_id"))]}


def _ask(state: Log) -> dict[str, Any]:
    return {"log": [f"answer={interrupt({'question': 'which?'})}"]}


def _says(word: str) -> Any:
    return lambda state: {"log": [word]}


def _graph(*steps: tuple[str, Any], context: Any = None) -> StateGraph[Any, Any, Any, Any]:
    """A chain of nodes over `Log`."""
    builder: StateGraph[Any, Any, Any, Any] = StateGraph(Log, context_schema=context)
    before = START
    for name, node in steps:
        builder.add_node(name, node)
        builder.add_edge(before, name)
        before = name
    builder.add_edge(before, END)
    return builder


_chat: StateGraph[Any, Any, Any, Any] = StateGraph(Chat)
_chat.add_node("answer", _answer)
_chat.add_edge(START, "answer")
echo = _chat.compile()

steps = _graph(("one", _says("one")), ("two", _says("two"))).compile(name="Two Steps")
builder = _graph(("seen", _seen))
interrupting = _graph(("ask", _ask), ("finish", _says("finished"))).compile()
configured = _graph(("only", _says("only")), context=Tone).compile()

_grandchild = _graph(("leaf", _says("leaf"))).compile()
_child = _graph(("middle", _says("middle")), ("grandchild", _grandchild)).compile()
subgraphs = _graph(("top", _says("top")), ("child", _child)).compile()

_loop: StateGraph[Any, Any, Any, Any] = StateGraph(Log)
_loop.add_node("work", _says("work"), metadata={"colour": "red"})
_loop.add_edge(START, "work")
_loop.add_conditional_edges("work", lambda state: "enough", {"again": "work", "enough": END})
looping = _loop.compile(interrupt_before=["work"])


class _Strange:
    """No JSON schema can say it."""


class _WithStrange(TypedDict, total=False):
    strange: _Strange


_odd: StateGraph[Any, Any, Any, Any] = StateGraph(_WithStrange, context_schema=_Strange)
_odd.add_node("only", lambda state: {})
_odd.add_edge(START, "only")
unspeakable = _odd.compile()

_list: StateGraph[Any, Any, Any, Any] = StateGraph(Annotated[list, operator.add])  # type: ignore[type-var]
_list.add_node("only", lambda state: ["x"])
_list.add_edge(START, "only")
listing = _list.compile()

number = 42
