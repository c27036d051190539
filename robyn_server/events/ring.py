"""The newest entries of one thread, in memory: a window on its log. No I/O, no waiting."""

import time
from asyncio import Future
from bisect import bisect_right

from robyn_server.resources.event import END_OF_RUN, START, EventId, RunEvent

ENTRY_OVERHEAD = 240
"""Bytes that an entry costs beside its data, about."""

RING_OVERHEAD = 1200
"""Bytes that an empty ring costs, about."""


def _id_of(entry: RunEvent) -> EventId:
    return entry.id


class Ring:
    """Entries in order of id, bounded in bytes by whoever calls `drop_oldest`.

    A reader remembers an absolute position (`base` + index), so dropping from the front moves nobody.
    """

    __slots__ = (
        "_entries", "_lost", "_skipped", "active", "base", "bytes", "closed", "ended_at", "floor", "heard_at", "last",
        "readers", "waiters",
    )  # fmt: skip

    def __init__(self, last: EventId) -> None:
        self._entries: list[RunEvent] = []
        self._skipped = 0
        """Dropped entries still standing at the front of the list, to be cut off in one go."""
        self.base = 0
        self.bytes = RING_OVERHEAD
        self.last = last
        self.floor = last
        """Everything with a greater id is in here."""
        self._lost: dict[str, EventId] = {}
        """Of each run the newest dropped entry that nothing else keeps."""
        self.active: str | None = None
        """The run whose entries are still coming."""
        self.ended_at = time.monotonic()
        self.heard_at = self.ended_at
        """When an entry came, or whoever waits was woken without one."""
        self.readers = 0
        self.closed = False
        self.waiters: list[Future[None]] = []

    def __len__(self) -> int:
        return len(self._entries) - self._skipped

    @property
    def is_idle(self) -> bool:
        """Whether nobody reads and nothing runs."""
        return not self.readers and self.active is None

    @property
    def end(self) -> int:
        """The absolute position after the newest entry."""
        return self.base + len(self)

    def add(self, entry: RunEvent) -> int:
        """Append; the bytes it costs."""
        self._entries.append(entry)
        self.last = entry.id
        self.active = None if entry.event == END_OF_RUN else entry.run_id
        cost = len(entry.data) + ENTRY_OVERHEAD
        self.bytes += cost
        return cost

    def next_id(self, now_ms: int) -> EventId:
        """A fresh id: the present millisecond, or one past the last when the clock has not moved (or went back)."""
        if now_ms > self.last.ms:
            return EventId(now_ms, 0)
        return EventId(self.last.ms, self.last.seq + 1)

    def position_after(self, event_id: EventId) -> int:
        """The absolute position of the first kept entry with a greater id."""
        return self.base + bisect_right(self._entries, event_id, lo=self._skipped, key=_id_of) - self._skipped

    def slice(self, position: int, most_bytes: int) -> list[RunEvent]:
        """Entries from an absolute position on, as many as fit the bytes, at least one if there is one."""
        start = position - self.base + self._skipped
        taken = 0
        stop = start
        entries = self._entries
        while stop < len(entries) and (taken < most_bytes or stop == start):
            taken += len(entries[stop].data)
            stop += 1
        return entries[start:stop]

    def drop_oldest(self) -> int:
        """Let the oldest entry go; the bytes that frees."""
        entry = self._entries[self._skipped]
        self._skipped += 1
        self.base += 1
        self.floor = entry.id
        if not entry.resumable:
            self._lost[entry.run_id] = entry.id
        if self._skipped >= 512 and self._skipped * 2 >= len(self._entries):
            del self._entries[: self._skipped]
            self._skipped = 0
        freed = len(entry.data) + ENTRY_OVERHEAD
        self.bytes -= freed
        return freed

    def missed(self, cursor: EventId, run_id: str | None) -> bool:
        """Whether entries after the cursor, of one run or of any, are gone for good."""
        if run_id is not None:
            return cursor < self._lost.get(run_id, START)
        return any(cursor < lost for lost in self._lost.values())

    def wake(self) -> None:
        """Let everybody who waits look again."""
        waiters, self.waiters = self.waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)
