"""Two spellings of one protocol: `message/send` and its kin (0.x), `SendMessage` and its kin (1.0)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

from robyn_server.resources.types import Json, JsonObject

TASK_NOT_FOUND = -32001
TASK_NOT_CANCELABLE = -32002
TASK_ENDED = -32004
CONTENT_TYPE_NOT_SUPPORTED = -32005
INVALID_CONTENT = -32006

Role: TypeAlias = Literal["user", "agent"]
State: TypeAlias = Literal[
    "submitted",
    "working",
    "input-required",
    "completed",
    "canceled",
    "failed",
    "rejected",
    "auth-required",
]
Verb: TypeAlias = Literal["send", "stream", "get", "cancel", "list", "card"]

ENDED: frozenset[State] = frozenset({"completed", "canceled", "failed", "rejected"})


@dataclass(frozen=True, slots=True)
class Dialect:
    """How words are spelled to this client."""

    shouting: bool

    def role(self, role: Role) -> str:
        """`agent` or `ROLE_AGENT`."""
        return f"ROLE_{role.upper()}" if self.shouting else role

    def state(self, state: State) -> str:
        """`input-required` or `TASK_STATE_INPUT_REQUIRED`."""
        return _shouted(state) if self.shouting else state

    def sent(self, task: JsonObject) -> JsonObject:
        """A task as the result of a sent message."""
        return {"task": task} if self.shouting else task


SLASHES = Dialect(shouting=False)
CAMELS = Dialect(shouting=True)

METHODS: Mapping[str, tuple[Verb, Dialect]] = {
    "message/send": ("send", SLASHES),
    "message/stream": ("stream", SLASHES),
    "tasks/get": ("get", SLASHES),
    "tasks/cancel": ("cancel", SLASHES),
    "SendMessage": ("send", CAMELS),
    "SendStreamingMessage": ("stream", CAMELS),
    "GetTask": ("get", CAMELS),
    "CancelTask": ("cancel", CAMELS),
    "ListTasks": ("list", CAMELS),
    "GetExtendedAgentCard": ("card", CAMELS),
}


def read_role(text: Json) -> Role:
    """Whoever is not the user is an agent."""
    return "user" if text in ("user", "ROLE_USER") else "agent"


def read_state(text: Json) -> State | None:
    """A state in either spelling, None for anything else."""
    return next((state for state in get_args(State) if text in (state, _shouted(state))), None)


def _shouted(state: State) -> str:
    return f"TASK_STATE_{state.replace('-', '_').upper()}"
