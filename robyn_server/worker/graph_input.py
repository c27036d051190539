"""From a run's kwargs to what `graph.astream` takes. Pure."""

from collections.abc import Mapping
from typing import Any

from langgraph.types import Command, Send

from robyn_server.resources.types import Json


def graph_input(kwargs: Mapping[str, Json]) -> Any:
    """A `Command` when the request has one that says anything, else its input."""
    command = kwargs.get("command")
    return _command(command) if command else kwargs.get("input")


def _command(command: Mapping[str, Json]) -> Command[Any]:
    said: dict[str, Any] = {}
    if "resume" in command:
        said["resume"] = command["resume"]
    if command.get("update") is not None:
        said["update"] = _update(command["update"])
    # None rather than left out: LangGraph then refuses a resume where there is nothing to resume, as the reference.
    return Command(**said, goto=_goto(command.get("goto")))


def _update(update: Json) -> Any:
    """An object, or a list of `[key, value]` pairs."""
    if isinstance(update, list):
        return [(one[0], one[1]) if isinstance(one, list) else one for one in update]
    return update


def _goto(goto: Json) -> Any:
    """A node, `{"node", "input"}`, or a list of either."""
    if isinstance(goto, list):
        return [_goto(one) for one in goto]
    if isinstance(goto, Mapping):
        return Send(goto["node"], goto.get("input"))
    return goto
