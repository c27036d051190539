"""A graph whose checkpoints hold what changed, with the whole every third time."""

from collections.abc import Sequence
from typing import Annotated, Any, TypedDict

from langgraph.channels.delta import DeltaChannel
from langgraph.graph import END, START, StateGraph


def joined(log: list[str], more: Sequence[list[str]]) -> list[str]:
    """All that was written, in order."""
    return [*log, *(word for words in more for word in words)]


class Changing(TypedDict, total=False):
    log: Annotated[list[str], DeltaChannel(joined, snapshot_frequency=3)]


async def _nothing(state: Changing) -> dict[str, Any]:
    return {}


builder = StateGraph(Changing)
builder.add_node("nothing", _nothing)
builder.add_edge(START, "nothing")
builder.add_edge("nothing", END)
delta = builder.compile()
