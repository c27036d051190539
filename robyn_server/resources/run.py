"""A run: one execution of a graph on a thread."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from robyn_server.resources.run_lifecycle import CancelAction, MultitaskStrategy, RunStatus
from robyn_server.resources.thread import StateOutcome, ThreadTtl
from robyn_server.resources.types import JsonObject

StreamMode = Literal[
    "values", "messages", "messages-tuple", "tasks", "checkpoints", "updates", "events", "debug", "custom"
]
STREAM_MODES: tuple[StreamMode, ...] = (
    "messages", "messages-tuple", "values", "updates", "events", "debug", "custom", "tasks", "checkpoints",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Run:
    """One run as its row says.

    `kwargs` has the shape that clients see (`input`, `command`, `config`, `context`, `stream_mode`, ...).
    `attempt` counts claims and is the fencing token: it only grows. `failures` counts what the retry budget allows.
    `secrets` is what admission took out of the request, sealed; it is None again once the run has ended.
    """

    run_id: str
    seq: int
    thread_id: str
    assistant_id: str
    graph_id: str
    status: RunStatus
    metadata: JsonObject
    kwargs: JsonObject
    multitask_strategy: MultitaskStrategy
    created_at: datetime
    updated_at: datetime
    run_at: datetime
    attempt: int
    failures: int
    resumable: bool
    temporary: bool
    """A stateless run that takes its thread with it when it ends."""
    webhook: str | None
    lane: str
    priority: int
    caller: JsonObject
    secrets: bytes | None = field(repr=False)
    worker_id: str | None
    cancel_action: CancelAction | None
    cancel_reason: str | None
    ev_from: str
    """The event id of the thread's log just before this run was created."""
    started_at: datetime | None
    finished_at: datetime | None
    error: JsonObject | None
    cron_id: str | None = None


@dataclass(frozen=True, slots=True)
class NewRun:
    """What it takes to queue one."""

    run_id: str
    thread_id: str
    assistant_id: str
    graph_id: str
    metadata: JsonObject
    kwargs: JsonObject
    caller: JsonObject
    multitask_strategy: MultitaskStrategy = "enqueue"
    after_seconds: float = 0.0
    resumable: bool = False
    temporary: bool = False
    webhook: str | None = None
    lane: str = "default"
    priority: int = 0
    secrets: bytes | None = field(default=None, repr=False)
    ev_from: str = "0-0"
    cron_id: str | None = None
    scheduled_for: datetime | None = None


@dataclass(frozen=True, slots=True)
class ThreadForRun:
    """What creating a run does to its thread, in the same transaction.

    The thread is created with `metadata` and `ttl` when it is missing and `create` is set. When it exists and is not
    busy, `graph_id` and `assistant_id` are stamped into its metadata and `config` is laid over its config, key by key.
    """

    create: bool
    metadata: JsonObject
    config: JsonObject
    ttl: ThreadTtl | None = None


@dataclass(frozen=True, slots=True)
class EndedRun:
    """A run that ended as a side effect: the log must be told. `status` None: rolled back, its row is gone."""

    run_id: str
    thread_id: str
    status: RunStatus | None
    error: JsonObject | None = None
    """As in `Ending`; None for a run that never began."""


@dataclass(frozen=True, slots=True)
class Queued:
    """The answer to creating a run: the row, the pending runs it ended, the running runs it asked to stop."""

    run: Run
    ended: tuple[EndedRun, ...] = ()
    cancelling: tuple[str, ...] = ()


CancelOutcome = Literal["ended", "requested", "finished", "missing"]
"""ended: it was pending and is over now; requested: it is running and will stop; finished: nothing to do."""


@dataclass(frozen=True, slots=True)
class Census:
    """The runs of all servers at one moment. Waits in seconds, 0 while nothing waits; `workers` have a run under a
    lease that goes on."""

    pending: int = 0
    running: int = 0
    workers: int = 0
    longest_wait: float = 0.0
    median_wait: float = 0.0


@dataclass(frozen=True, slots=True)
class Held:
    """What a heartbeat says of a run this worker holds."""

    run_id: str
    attempt: int
    cancel_action: CancelAction | None
    cancel_reason: str | None


@dataclass(frozen=True, slots=True)
class Ending:
    """How a run ended. `status` None means rolled back: the row goes.

    `state` is what the thread row shall repeat of the newest checkpoint, None to leave it.
    `error` is `{"error", "message"}` for the thread (also after a cancel or rollback), `run_error` the same for the
    run row (None when the run itself did not fail).
    """

    status: RunStatus | None
    error: JsonObject | None = None
    run_error: JsonObject | None = None
    state: StateOutcome | None = None

    @property
    def failed(self) -> bool:
        """Whether the thread's status becomes `error`."""
        return self.status in ("error", "timeout")


@dataclass(frozen=True, slots=True)
class Finished:
    """What the recording of an end found: `more_waits` says that other runs are pending on the thread."""

    more_waits: bool = False


@dataclass(frozen=True, slots=True)
class RunSearch:
    """Runs of one thread, newest first."""

    thread_id: str
    limit: int = 10
    offset: int = 0
    status: str | None = None
