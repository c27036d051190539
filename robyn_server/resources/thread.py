"""A thread: a durable conversation, and snapshots of its state."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from robyn_server.resources.metadata_filter import EVERYTHING, MetadataFilter
from robyn_server.resources.run_lifecycle import ThreadStatus
from robyn_server.resources.types import Json, JsonObject

TtlStrategy = Literal["delete", "keep_latest"]


@dataclass(frozen=True, slots=True)
class ThreadTtl:
    """After `ttl` without use the thread is deleted, or all but its newest checkpoint."""

    ttl: timedelta
    strategy: TtlStrategy = "delete"


@dataclass(frozen=True, slots=True)
class Thread:
    """One thread. `values` is JSON as stored (it may be large and is passed on unparsed); None: no state yet.

    `settled` is False until the first run or state update has ended: such a thread shows no `interrupts` and
    `error` at all.
    """

    thread_id: str
    status: ThreadStatus
    metadata: JsonObject
    config: JsonObject
    values: bytes | None
    interrupts: JsonObject
    error: JsonObject | None
    created_at: datetime
    updated_at: datetime
    state_updated_at: datetime | None
    settled: bool
    ttl: ThreadTtl | None = None
    expires_at: datetime | None = None
    copied: bool = False
    """A copy shows no `values` key until something runs on it."""

    @property
    def is_leaving(self) -> bool:
        """Whether it is being deleted."""
        return self.expires_at is not None and self.ttl is None


@dataclass(frozen=True, slots=True)
class NewThread:
    """What it takes to create one."""

    thread_id: str
    metadata: JsonObject = field(default_factory=dict)
    ttl: ThreadTtl | None = None
    copied: bool = False


@dataclass(frozen=True, slots=True)
class StateOutcome:
    """What the newest checkpoint of a thread says: the thread row repeats it for lists and searches."""

    values: bytes | None
    """JSON of all channels; None leaves what the row has."""
    interrupts: JsonObject
    """task id -> [{"id", "value"}]"""
    has_next: bool


@dataclass(frozen=True, slots=True)
class ThreadSearch:
    """Which threads, in which order. Filters are and-ed; `metadata` and `values` by containment."""

    metadata: JsonObject = field(default_factory=dict)
    values: JsonObject = field(default_factory=dict)
    status: ThreadStatus | None = None
    ids: tuple[str, ...] = ()
    limit: int = 10
    offset: int = 0
    sort_by: str = "updated_at"
    descending: bool = True
    visible: MetadataFilter = EVERYTHING
    with_values: bool = True
    """False leaves `values` unread (None) when the caller does not select them."""


@dataclass(frozen=True, slots=True)
class ThreadState:
    """A snapshot, in the shapes of the wire (`GET /threads/{id}/state`)."""

    values: Json
    next: list[str]
    tasks: list[JsonObject]
    metadata: JsonObject | None
    created_at: str | None
    checkpoint: JsonObject | None
    parent_checkpoint: JsonObject | None
    interrupts: list[JsonObject]
