"""A cron: runs on a schedule."""

from dataclasses import dataclass, field
from datetime import datetime

from robyn_server.resources.metadata_filter import EVERYTHING, MetadataFilter
from robyn_server.resources.types import JsonObject


@dataclass(frozen=True, slots=True)
class Cron:
    """One cron. `payload` is the request that made it, with the assistant's id resolved. `end_time` is kept as the
    client spelled it; `ends_at` is what it means."""

    cron_id: str
    assistant_id: str
    thread_id: str | None
    user_id: str
    schedule: str
    timezone: str | None
    end_time: str | None
    ends_at: datetime | None
    payload: JsonObject
    metadata: JsonObject
    on_run_completed: str | None
    enabled: bool
    next_run_at: datetime | None
    created_at: datetime
    updated_at: datetime
    caller: JsonObject = field(default_factory=dict)
    secrets: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class CronSearch:
    """Which crons, in which order; default newest first."""

    metadata: JsonObject = field(default_factory=dict)
    assistant_id: str | None = None
    thread_id: str | None = None
    enabled: bool | None = None
    limit: int = 10
    offset: int = 0
    sort_by: str = "created_at"
    descending: bool = True
    visible: MetadataFilter = EVERYTHING
