"""What the engine and the worker may ask of storage. Every method is one transaction."""

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime, timedelta
from typing import Protocol

from langgraph.store.base import BaseStore

from robyn_server.resources.assistant import (
    Assistant,
    AssistantChange,
    AssistantSearch,
    AssistantVersion,
    NewAssistant,
)
from robyn_server.resources.caller import Caller
from robyn_server.resources.cron import Cron, CronSearch
from robyn_server.resources.metadata_filter import EVERYTHING, MetadataFilter
from robyn_server.resources.page import Page
from robyn_server.resources.run import (
    CancelOutcome,
    Census,
    EndedRun,
    Ending,
    Finished,
    Held,
    NewRun,
    Queued,
    Run,
    RunSearch,
    ThreadForRun,
)
from robyn_server.resources.run_lifecycle import CancelAction
from robyn_server.resources.thread import NewThread, StateOutcome, Thread, ThreadSearch, ThreadTtl
from robyn_server.resources.types import JsonObject
from robyn_server.storage.checkpoints.interfaces import Checkpoints


class AssistantRows(Protocol):
    """Assistants and their versions."""

    async def create(self, new: NewAssistant) -> Assistant | None:
        """The new assistant, None when the id is taken."""

    async def get(self, assistant_id: str, visible: MetadataFilter = EVERYTHING) -> Assistant | None:
        """The assistant if it exists and is visible."""

    async def update(
        self, assistant_id: str, change: AssistantChange, visible: MetadataFilter = EVERYTHING
    ) -> Assistant | None:
        """Apply the change as a new version (highest version + 1); None when there is nothing visible."""

    async def delete(self, assistant_id: str, visible: MetadataFilter = EVERYTHING) -> bool:
        """Delete it with its versions and crons."""

    async def search(self, query: AssistantSearch) -> Page[Assistant]: ...

    async def count(self, query: AssistantSearch) -> int: ...

    async def versions(
        self, assistant_id: str, metadata: JsonObject, limit: int, offset: int
    ) -> list[AssistantVersion]:
        """Newest first."""

    async def set_latest(
        self, assistant_id: str, version: int, visible: MetadataFilter = EVERYTHING
    ) -> Assistant | None:
        """Restore config, metadata, name and description of that version and its number (not graph_id, not
        context). None when there is no such version."""


class ThreadRows(Protocol):
    """Threads. Statuses follow from runs and state; see `resources/run_lifecycle.py`."""

    async def create(self, new: NewThread) -> Thread | None:
        """The new thread, None when the id is taken."""

    async def get(
        self, thread_id: str, visible: MetadataFilter = EVERYTHING, *, leaving: bool = False
    ) -> Thread | None:
        """The thread; one that is being deleted only with `leaving`. Searches and counts never see such."""

    async def patch(
        self, thread_id: str, metadata: JsonObject, visible: MetadataFilter = EVERYTHING
    ) -> Thread | None:
        """Merge metadata one level deep and bump `updated_at`."""

    async def delete(self, thread_id: str) -> bool:
        """Delete the row with its runs and crons. The caller has stopped its runs and deleted its checkpoints."""

    async def search(self, query: ThreadSearch) -> Page[Thread]: ...

    async def count(self, query: ThreadSearch) -> int: ...

    async def set_state(self, thread_id: str, outcome: StateOutcome) -> None:
        """Repeat what the newest checkpoint says after a state update (or copy, prune): values, interrupts, status,
        `state_updated_at`. The thread becomes `settled`."""

    async def expired(self, now: datetime, limit: int) -> list[Thread]:
        """Threads whose TTL is over and that have no active run."""

    async def set_ttl(self, thread_id: str, ttl: ThreadTtl) -> None:
        """Another time to live, counted from now, and from each run and state update to come."""

    async def expire(self, thread_id: str) -> None:
        """Its time is over, and it is to be deleted whatever its TTL said."""

    async def rest(self, thread_id: str) -> None:
        """What its TTL asked for is done; it counts again from the next run or state update."""


class RunRows(Protocol):
    """Runs as rows: reading and deleting. Changes of state are in `RunQueue`."""

    async def get(self, run_id: str, thread_id: str | None = None) -> Run | None:
        """The run, None when missing, being rolled back, or (when given) of another thread."""

    async def search(self, query: RunSearch) -> list[Run]: ...

    async def active(self, thread_id: str) -> list[Run]:
        """Pending and running runs, oldest first, also those asked to stop."""

    async def active_of(self, assistant_id: str) -> list[Run]:
        """`active` of one assistant, on whatever threads."""

    async def latest(self, thread_id: str) -> Run | None:
        """The newest run of a thread."""

    async def delete(self, run_id: str) -> bool:
        """Delete the row of a run that is not active."""

    async def matching(
        self,
        status: str | None,
        thread_id: str | None,
        run_ids: Sequence[str] | None,
        visible: MetadataFilter,
    ) -> list[Run]:
        """Runs for a bulk cancel: by status (`pending`, `running`, `all` = both) or by thread and ids; only on
        threads whose metadata is visible."""

    async def of_assistant(
        self, assistant_id: str, thread_id: str | None, visible: MetadataFilter, limit: int
    ) -> list[tuple[Run, bool]]:
        """Runs of one assistant (on one thread, if given) on threads whose metadata is visible, newest first; the
        flag says whether the run is its thread's newest and the thread waits at an interrupt."""

    async def delete_finished(self, before: datetime, limit: int) -> int:
        """Retention: drop rows of runs that ended before a moment."""


class RunQueue(Protocol):
    """Every change of a run's state. Lock order inside: thread row, then run rows."""

    async def create(self, new: NewRun, thread: ThreadForRun, visible: MetadataFilter = EVERYTHING) -> Queued:
        """Queue a run and apply its multitask strategy to what is active on the thread, in one transaction.

        Raises `NotFound` (thread missing or not visible and not to be created), `Conflict` (strategy reject),
        `TooMany` (pending runs of the thread at their limit). `Conflict` too when the run's id, or its cron's
        firing time, is taken.
        """

    async def claim(self, worker_id: str, lease: timedelta, free: Mapping[str, int]) -> list[Run]:
        """Take due runs, at most `free[lane]` of each lane: at most one running per thread, first come first
        served within a thread; priority, then `run_at`, orders threads. `attempt` grows by one."""

    async def heartbeat(self, worker_id: str, lease: timedelta, run_ids: Collection[str]) -> list[Held]:
        """Renew the leases of these runs of this worker; one missing from the answer is lost. (Not of all its runs: one
        that it has given up must come to the sweeper.) Called from an event loop of its
        own in a thread of its own, so that user code which blocks the main loop does not delay it."""

    async def finish(self, run: Run, ending: Ending) -> Finished | None:
        """Record the end of a claimed run (fence: `worker_id` and `attempt`), and the thread's new status, values,
        interrupts and error, in one transaction; of a temporary run nothing is left, its thread goes with it. Secrets
        are set to NULL. None: this worker no longer holds it, or it was asked to roll back meanwhile and `ending` is
        something else (the sweeper then does it)."""

    async def retry(self, run: Run, delay: timedelta, error: JsonObject, most: int) -> bool:
        """After an infrastructure failure: back to pending, `failures` + 1; False when the budget `most` is spent
        (the run is then still running and the caller finishes it), it was asked to stop, or it is lost."""

    async def hand_back(self, run: Run) -> bool:
        """At shutdown: back to pending with its place kept; `attempt` and `failures` unchanged."""

    async def cancel(
        self, run: Run, action: CancelAction, reason: str
    ) -> tuple[CancelOutcome, EndedRun | None]:
        """Pending: interrupted, or deleted by rollback. Running: record the intent; its worker stops it. Rolling back
        a pending run that has been attempted (and so has checkpoints) is left to the sweeper: `requested`."""

    async def expired(self, now: datetime, limit: int = 100) -> list[Run]:
        """Running runs whose lease is over, and pending runs that wait to be rolled back."""

    async def recover(
        self, run: Run, now: datetime, most: int, state: StateOutcome | None = None
    ) -> EndedRun | None:
        """Settle one run whose worker is dead: back to pending with `failures` + 1, or ended (returned) as its
        cancel intent or the spent budget says; its thread then shows `state`. A rollback intent is only settled by
        `finish_rollback`."""

    async def release_all(self) -> int:
        """At start, when no other process lives on this data: expire every lease at once."""

    async def finish_rollback(self, run: Run, ending: Ending) -> EndedRun | None:
        """Settle a run of `expired` with a rollback intent once its checkpoints are deleted. None: it is gone, or
        alive again."""

    async def next_due(self) -> datetime | None:
        """When the next pending run that nothing blocks becomes due."""

    async def census(self, now: datetime) -> Census:
        """What waits and what runs, wherever."""


class CronRows(Protocol):
    """Crons."""

    async def create(self, cron: Cron) -> Cron | None:
        """The cron, None when its assistant or thread is gone."""

    async def get(self, cron_id: str, visible: MetadataFilter = EVERYTHING) -> Cron | None: ...

    async def change(
        self, cron_id: str, change: Callable[[Cron], Cron], visible: MetadataFilter = EVERYTHING
    ) -> Cron | None:
        """Store what `change` makes of the cron as it is now; None when there is none visible. `change` is called
        inside the transaction, perhaps more than once; what it raises is raised, and nothing is changed."""

    async def delete(self, cron_id: str, visible: MetadataFilter = EVERYTHING) -> bool: ...

    async def search(self, query: CronSearch) -> Page[Cron]: ...

    async def count(self, query: CronSearch) -> int: ...

    async def due(self, now: datetime, limit: int = 50) -> list[Cron]: ...

    async def fire(self, cron: Cron, next_run_at: datetime | None) -> bool:
        """Move `next_run_at` on, only if it still is `cron.next_run_at`: whoever gets True creates the run, whose
        id is uuid5(cron_id, scheduled time), so that a crash in between neither loses nor doubles it."""


class ThreadLocks(Protocol):
    """Locks by thread id. Whoever updates the state of a thread, copies or deletes it holds its lock; a run does not,
    since updates are refused while there is one."""

    def of(self, thread_id: str) -> AbstractAsyncContextManager[None]:
        """Held against all servers on the data."""

    def here(self, thread_id: str) -> AbstractAsyncContextManager[None]:
        """The same, held against this process only: for who queues a run, which `RunQueue.create` keeps apart from the
        holders of other processes."""


class SealingContexts(Protocol):
    """Where a project's encryption handlers want to know whose data they encrypt."""

    async def admitted(self, caller: Caller, headers: Mapping[str, str]) -> Caller:
        """The caller with his `encryption_context`, entered. Raises `Unprocessable`, `Unavailable`."""

    async def enter(self, context: JsonObject | None) -> None:
        """From here on, what this task and those it starts write is encrypted for this context. Raises
        `Unavailable`."""

    async def enter_again(self, text: str) -> None:
        """`enter`, with what `SEALING_CONTEXT` said where it was entered before, maybe in another process."""

    async def close(self) -> None:
        """After the databases are closed."""


class Storage(Protocol):
    """All of it. `close` waits for writes under way."""

    @property
    def assistants(self) -> AssistantRows: ...

    @property
    def threads(self) -> ThreadRows: ...

    @property
    def runs(self) -> RunRows: ...

    @property
    def queue(self) -> RunQueue: ...

    @property
    def crons(self) -> CronRows: ...

    @property
    def checkpoints(self) -> Checkpoints: ...

    @property
    def thread_locks(self) -> ThreadLocks: ...

    @property
    def store(self) -> BaseStore: ...

    @property
    def documents(self) -> BaseStore:
        """A store of its own for collections; it embeds the field `content` of values."""

    @property
    def embedder(self) -> str:
        """What `documents` are embedded with; vectors of another name cannot be compared with its own."""

    @property
    def description(self) -> str:
        """For the banner, e.g. `SQLite in ./.data`."""

    @property
    def contexts(self) -> SealingContexts | None: ...

    @property
    def is_sealed(self) -> bool:
        """Whether what clients keep is encrypted, so that the database cannot search it."""

    @property
    def shared(self) -> bool:
        """Whether other servers may work on the same data."""

    def now(self) -> datetime:
        """The present moment by the clock that leases, delays and times to live go by: the database's, where several
        servers share it."""

    async def read_clock(self) -> None:
        """Set that clock, now and then."""

    def store_of(self, owner: str | None) -> BaseStore:
        """The store as this user may use it: his own items, whatever their namespaces are called. Writes raise
        `PermissionError` where a namespace begins with another user's id. None: all of it."""

    async def sweep_store(self) -> int:
        """Delete the store's items whose time to live is over; how many."""

    async def embed_again(self) -> int:
        """Embed some of the store's items that another `store.index` has embedded; how many, 0 when that is all."""

    async def ready(self) -> None:
        """Raises `Unavailable` when the database cannot be used (for `/ok?check_db=1`)."""

    async def backup(self, target: str) -> None:
        """Copy the databases, online, into a folder."""

    async def close(self) -> None: ...
