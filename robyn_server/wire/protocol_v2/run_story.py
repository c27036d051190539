"""One run as a session has told of it so far, and how it ends."""

from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from robyn_server.resources.run_lifecycle import RunStatus
from robyn_server.resources.types import JsonObject

Namespace: TypeAlias = tuple[str, ...]
Terminal = Literal["completed", "failed", "interrupted"]

NEVER_RAN = "The run was cancelled before it started."
ROLLED_BACK = "The run was rolled back."
TOOK_TOO_LONG = "The run took longer than it may."


@dataclass(frozen=True, slots=True)
class RunFacts:
    """What the run's row says. `status` None: there is no row any more, the run was rolled back or deleted."""

    graph_name: str
    status: RunStatus | None
    resumable: bool
    started: bool = True
    """Whether a worker has ever had it."""
    error: str | None = None


GONE = RunFacts("", None, resumable=False)


@dataclass(slots=True)
class RunStory:
    """`begun`: its `running` was told; `hidden`: it is counted and not shown."""

    run_id: str
    facts: RunFacts
    hidden: bool
    attempt: int = 0
    begun: bool = False
    interrupts: set[str] = field(default_factory=set)
    """Ids of the interrupts told."""
    open_children: dict[Namespace, str] = field(default_factory=dict)
    """Subgraphs that have not ended: graph names."""
    said: set[str] = field(default_factory=set)
    """Ids of made-up events: a second attempt says none of them again."""
    error: str | None = None
    """What its `error` frame said."""

    def ending(self) -> tuple[Terminal, str | None] | None:
        """The root's last lifecycle event and its error; None when it was told already or is still to come."""
        facts = self.facts
        if facts.status is None:
            return "failed", ROLLED_BACK
        if facts.status == "success":
            return None if self.interrupts else ("completed", None)
        if facts.status == "error":
            return "failed", self.error or facts.error
        if facts.status == "timeout":
            return "failed", TOOK_TOO_LONG
        if facts.status == "interrupted":
            # A client that waits for the run's end takes `interrupted` for a question that somebody may answer.
            return ("interrupted", None) if facts.started else ("failed", NEVER_RAN)
        return None


def graph_name(namespace: Namespace) -> str:
    """The name of the graph at a namespace: that of the node that it runs in."""
    return namespace[-1].partition(":")[0]


def lifecycle_data(event: str, name: str, error: str | None = None) -> JsonObject:
    """The data of a lifecycle event."""
    data: JsonObject = {"event": event}
    if name:
        data["graph_name"] = name
    return data if error is None else {**data, "error": error}
