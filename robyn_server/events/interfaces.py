"""The event log, its backing store, the hints between those who queue, run and cancel, and counters."""

from collections.abc import AsyncGenerator, Callable, Sequence
from typing import Protocol

from robyn_server.resources.event import EventId, RunEvent


class LogGap(Exception):
    """The reader's place is older than anything kept: it should read the thread's state anew."""


class EventLog(Protocol):
    """What happened on a thread, in order. Readers may come late, come back, or stop reading: a reader is a
    cursor, so it costs nothing and blocks nobody."""

    def open_new(self, thread_id: str) -> EventId:
        """The tail of a thread that was made just now: nothing can be stored of it."""

    async def open(self, thread_id: str) -> None:
        """To be awaited (or `tail`, or `open_new` called) in this process before the first `append` to a thread. Does
        not fail: a run goes on also while the log is away."""

    async def tail(self, thread_id: str) -> EventId:
        """The newest id of the thread; what is appended later is greater, also after a restart. Raises
        `Unavailable`."""

    def append(
        self, thread_id: str, run_id: str, attempt: int, resumable: bool, events: Sequence[tuple[str, bytes]]
    ) -> None:
        """Append `(event, data)` pairs under fresh ids; never waits. Call from the loop's thread."""

    async def room(self) -> None:
        """Wait while the backing store is too far behind: back-pressure for whoever appends."""

    async def kept(self) -> None:
        """Wait until every resumable entry appended so far outlives this process."""

    def follow(
        self, thread_id: str, after: EventId, run_id: str | None = None, *, stored_only: bool = False
    ) -> AsyncGenerator[list[RunEvent], None]:
        """Entries after an id, in batches as they come. With `run_id`: those of one run, the closing entry last.
        Without: all of the thread, closing entries included, for ever. `stored_only` yields what is there and
        stops. An empty batch says that nothing has come for a while, or that the log is away: who waits for the end
        of a run should look at its row. Raises `LogGap`; `stored_only` also `Unavailable`."""

    def end(self, thread_id: str, run_id: str, attempt: int, resumable: bool, result: bytes = b"") -> None:
        """Append the closing entry of a run; only after the run's end is committed. `result` travels in the
        entry's data for those who wait: the final values when the run's own frames do not show them."""

    async def forget_thread(self, thread_id: str) -> None:
        """Drop everything of a deleted thread; its readers end."""

    async def close(self) -> None: ...


class Spill(Protocol):
    """Where the entries of resumable runs are kept beyond memory. Implemented in `storage/event_spill.py`."""

    def write(self, thread_id: str, entries: Sequence[RunEvent]) -> None:
        """Hand over entries; they are stored within milliseconds, in order."""

    @property
    def behind(self) -> int:
        """Bytes handed over and not stored yet."""

    async def flushed(self) -> None:
        """Wait until everything handed over so far is stored."""

    async def read(
        self, thread_id: str, after: EventId, run_id: str | None, limit: int = 500
    ) -> list[RunEvent]:
        """The next stored entries after an id."""

    async def last(self, thread_id: str) -> EventId | None:
        """The newest stored id of a thread."""

    async def count(self, thread_id: str, run_id: str, attempt: int) -> int:
        """How many entries of one attempt of a run are stored."""

    async def forget_thread(self, thread_id: str) -> None: ...

    async def sweep(self, now_ms: int, keep_ms: int, most_bytes: int) -> int:
        """Drop entries of runs that ended more than `keep_ms` ago, then the oldest beyond `most_bytes`."""

    async def close(self) -> None: ...


class Notifier(Protocol):
    """Hints. A lost hint costs a moment (the next poll or heartbeat), never a run."""

    def run_queued(self) -> None:
        """There may be something to claim."""

    def cancel_requested(self, run_id: str) -> None:
        """A running run has a cancel intent."""

    def on_run_queued(self, listener: Callable[[], None]) -> None: ...

    def on_cancel_requested(self, listener: Callable[[str], None]) -> None: ...

    async def close(self) -> None: ...


class Counters(Protocol):
    """Small numbers that only grow and are soon forgotten."""

    async def add(self, key: str, keep_seconds: int) -> int:
        """Count one more under `key`, and how many that makes; forgotten `keep_seconds` later. Raises `Unavailable`."""

    async def close(self) -> None: ...
