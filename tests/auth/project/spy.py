"""A graph that writes what it was given into a file outside, and takes its time. One node of it is a subgraph."""

import asyncio
import json
import os
from pathlib import Path
from typing import Annotated, Any, TypedDict

from langchain_core.messages import AIMessage, AnyMessage
from langchain_core.runnables import RunnableConfig
from langgraph.config import get_stream_writer
from langgraph.graph import END, START, StateGraph
from langgraph.graph.message import add_messages

from robyn_server.testing.scripted_model import ScriptedModel


class Conversation(TypedDict, total=False):
    messages: Annotated[list[AnyMessage], add_messages]
    pause: float


_model = ScriptedModel(script=["nothing to see here"])


def _note(line: str) -> None:
    with Path(os.environ["SPY_FILE"]).open("a") as file:
        file.write(line + "\n")


async def _look(state: Conversation, config: RunnableConfig) -> dict[str, Any]:
    seen = {name: value for name, value in config["configurable"].items() if not name.startswith("__pregel")}
    user = seen.get("langgraph_auth_user")
    line = {**seen, "identity": getattr(user, "identity", None), "token": (user or {}).get("token")}
    _note(json.dumps(line, default=str))
    get_stream_writer()({"looked": True})
    return {}


async def _wait(state: Conversation) -> dict[str, Any]:
    await asyncio.sleep(state.get("pause", 0))
    return {}


async def _talk(state: Conversation, config: RunnableConfig) -> dict[str, Any]:
    return {"messages": [AIMessage((await _model.ainvoke(state["messages"], config)).text)]}


def _row(*nodes: tuple[str, Any]) -> Any:
    builder: StateGraph[Any, Any, Any, Any] = StateGraph(Conversation)
    names = [name for name, _ in nodes]
    for name, node in nodes:
        builder.add_node(name, node)
    for before, after in zip([START, *names], [*names, END], strict=True):
        builder.add_edge(before, after)
    return builder.compile()


spy = _row(("wait", _wait), ("look", _look), ("inner", _row(("inner_look", _look), ("talk", _talk))))
