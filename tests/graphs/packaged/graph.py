"""Imports its neighbour the way packages do."""

from typing import Any

from langgraph.graph import START, StateGraph

from .state import State

_builder: StateGraph[Any, Any, Any, Any] = StateGraph(State)
_builder.add_node("only", lambda state: {"text": __name__})
_builder.add_edge(START, "only")
graph = _builder.compile()
