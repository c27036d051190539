"""Graphs that show what reaches them, and that ask in every way there is."""

import operator
from typing import Annotated, Any, TypedDict

from graphs import SENTENCE, Chat, Log, row, says
from langchain_core.runnables import RunnableConfig, RunnableLambda
from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime
from langgraph.types import Command, interrupt

from robyn_server.testing.scripted_model import ScriptedModel


class Seen(TypedDict, total=False):
    seen: dict[str, Any]


class Context(TypedDict, total=False):
    tone: str


async def _reveal(state: Seen, config: RunnableConfig, runtime: Runtime[Context]) -> Seen:
    given = config["configurable"].items()
    plain = {name: value for name, value in given if isinstance(value, str | int | float | bool)}
    return {
        "seen": {
            "configurable": plain,
            "metadata": dict(config["metadata"]),
            "context": dict(runtime.context or {}),
            "recursion_limit": config.get("recursion_limit"),
            "tags": list(config.get("tags") or ()),
        }
    }


_reveals: StateGraph[Any, Any, Any, Any] = StateGraph(Seen, context_schema=Context)
_reveals.add_node("reveal", _reveal)
_reveals.add_edge(START, "reveal")
_reveals.add_edge("reveal", END)
reveals = _reveals.compile()
"""Its state is the config that it was given."""


def _asks(name: str) -> Any:
    async def node(state: Log) -> dict[str, Any]:
        return {"log": [f"{name}: {interrupt({'from': name})}"]}

    return node


_parallel: StateGraph[Any, Any, Any, Any] = StateGraph(Log)
for _side in ("left", "right"):
    _parallel.add_node(_side, _asks(_side))
    _parallel.add_edge(START, _side)
    _parallel.add_edge(_side, END)
parallel = _parallel.compile()
"""Two questions at once."""

_inner = row(Log, ("inner_ask", _asks("inner"))).compile()
nested = row(Log, ("before", says("before")), ("inner", _inner), ("after", says("after"))).compile()
"""A question in a subgraph."""

breaks = row(Log, ("one", says("one")), ("two", says("two"))).compile(interrupt_before=["two"])
"""A breakpoint of its own."""


class Visits(TypedDict, total=False):
    visits: Annotated[list[str], operator.add]


async def _gate(state: Visits) -> Command[Any]:
    answer = interrupt("where to?")
    return Command(update={"visits": [f"gate: {answer}"]}, goto=answer)


async def _visit_a(state: Visits) -> Visits:
    return {"visits": ["a"]}


async def _visit_b(state: Visits) -> Visits:
    return {"visits": ["b"]}


_crossing: StateGraph[Any, Any, Any, Any] = StateGraph(Visits)
_crossing.add_node("gate", _gate, destinations=("a", "b"))
_crossing.add_node("a", _visit_a)
_crossing.add_node("b", _visit_b)
_crossing.add_edge(START, "gate")
crossing = _crossing.compile()
"""Asks which way to go."""

_loud = ScriptedModel(script=[SENTENCE])
_quiet = ScriptedModel(script=["nobody hears this word by word"], tags=["nostream"])


async def _speak(state: Chat, config: RunnableConfig) -> dict[str, Any]:
    unheard = await _quiet.ainvoke(state["messages"], config)
    heard = await _loud.ainvoke(state["messages"], config)
    return {"messages": [heard.model_copy(update={"content": f"{heard.text}. {len(unheard.text)}"})]}


undertone = row(Chat, ("speak", _speak)).compile()
"""Two models, one of them tagged `nostream`, whose answer never becomes a message."""


async def _chain(state: Chat, config: RunnableConfig) -> dict[str, Any]:
    chain = RunnableLambda(lambda messages: messages).with_config(run_name="passed on") | _loud
    said = await chain.ainvoke(state["messages"], config)
    if state["messages"][-1].text == "spill it":
        raise ValueError(f"cannot go on with {config['configurable']!r}")
    return {"messages": [said]}


chained = row(Chat, ("chain", _chain)).compile()
"""A chain of LangChain's in a node: its tracer copies what stands in configurable. Asked to, it fails with all of
it."""
