"""Graphs that take their time and keep a journal: which node of which thread began and ended when, and in whose hands.

The journal is the file that the input names; a line is `time word thread run node`.
"""

import asyncio
import operator
import time
from pathlib import Path
from typing import Annotated, Any, TypedDict

from graphs import row
from langchain_core.messages import AIMessage, AnyMessage
from langchain_core.runnables import RunnableConfig
from langgraph.graph import END, START, StateGraph
from langgraph.graph.message import add_messages

from robyn_server.testing.scripted_model import ScriptedModel


class Work(TypedDict, total=False):
    log: Annotated[list[Any], operator.add]
    journal: str
    pause: float
    rounds: int


class Story(TypedDict, total=False):
    messages: Annotated[list[AnyMessage], add_messages]
    journal: str
    pause: float


def note(state: Any, config: RunnableConfig, word: str, node: str) -> None:
    """A line in the journal, if one is kept."""
    if state.get("journal"):
        facts = config["configurable"]
        line = f"{time.time()} {word} {facts['thread_id']} {facts['run_id']} {node}\n"
        with Path(state["journal"]).open("a") as journal:
            journal.write(line)


async def _step(state: Work, config: RunnableConfig) -> dict[str, Any]:
    done = len(state.get("log", []))
    note(state, config, "begin", f"step{done}")
    await asyncio.sleep(state.get("pause", 0.1))
    note(state, config, "end", f"step{done}")
    return {"log": [f"step{done}"]}


def _more(state: Work) -> str:
    return "again" if len(state.get("log", [])) < state.get("rounds", 5) else "enough"


_loop: StateGraph[Any, Any, Any, Any] = StateGraph(Work)
_loop.add_node("step", _step)
_loop.add_edge(START, "step")
_loop.add_conditional_edges("step", _more, {"again": "step", "enough": END})
slow = _loop.compile()
"""`rounds` times a pause of `pause` seconds."""


def _telling(name: str, text: str) -> Any:
    model = ScriptedModel(script=[text])

    async def node(state: Story, config: RunnableConfig) -> dict[str, Any]:
        note(state, config, "begin", name)
        told = ""
        async for piece in model.astream(state["messages"], config):
            told += piece.text
            await asyncio.sleep(state.get("pause", 0.02))
        note(state, config, "end", name)
        return {"messages": [AIMessage(content=told, id=name)]}

    return node


storyteller = row(
    Story,
    ("beginning", _telling("beginning", "once upon a time there was a server")),
    ("middle", _telling("middle", "which was killed in the middle of a sentence")),
    ("ending", _telling("ending", "and came back at once and lived happily ever after with all of its data")),
).compile()
"""Three model answers, word by word."""


async def _alone(state: Work, config: RunnableConfig) -> dict[str, Any]:
    note(state, config, "enter", "alone")
    try:
        await asyncio.sleep(state.get("pause", 0.02))
    finally:
        note(state, config, "leave", "alone")
    return {"log": [config["configurable"]["run_id"]]}


exclusive = row(Work, ("first", _alone), ("second", _alone)).compile()
"""Says when it goes in and out, also when it is cancelled."""
