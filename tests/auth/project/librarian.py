"""A graph that does with the store what it is asked to: in a node, in a thread, and in a tool."""

from typing import Annotated, Any, TypedDict

from langchain_core.messages import AIMessage, AnyMessage
from langchain_core.tools import tool
from langgraph.graph import END, START, StateGraph
from langgraph.graph.message import add_messages
from langgraph.prebuilt import InjectedStore, ToolNode
from langgraph.store.base import BaseStore


class Work(TypedDict, total=False):
    namespace: list[str]
    text: str
    told: list[Any]
    messages: Annotated[list[AnyMessage], add_messages]


@tool
async def remember(text: str, namespace: list[str], store: Annotated[BaseStore, InjectedStore()]) -> str:
    """Keep a text, and say what else is there."""
    await store.aput(tuple(namespace), "by the tool", {"text": text})
    return ", ".join(sorted(item.value["text"] for item in await store.asearch(())))


async def _on_the_loop(state: Work, *, store: BaseStore) -> dict[str, Any]:
    await store.aput(tuple(state["namespace"]), "on the loop", {"text": state["text"]})
    return {}


def _in_a_thread(state: Work, *, store: BaseStore) -> dict[str, Any]:
    namespace = tuple(state["namespace"])
    store.put(namespace, "in a thread", {"text": state["text"]})
    found = store.get(namespace, "on the loop")
    assert found is not None
    spaces = [list(space) for space in store.list_namespaces()]
    call = {"name": "remember", "args": {"text": state["text"], "namespace": state["namespace"]}, "id": "1"}
    return {"told": [found.value["text"], spaces], "messages": [AIMessage("", tool_calls=[call])]}


builder = StateGraph(Work)
builder.add_node("on_the_loop", _on_the_loop)
builder.add_node("in_a_thread", _in_a_thread)
builder.add_node("tools", ToolNode([remember]))
builder.add_edge(START, "on_the_loop")
builder.add_edge("on_the_loop", "in_a_thread")
builder.add_edge("in_a_thread", "tools")
builder.add_edge("tools", END)
librarian = builder.compile()
