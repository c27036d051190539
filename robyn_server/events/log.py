"""The event log of one process: a ring per thread, and the spill for what must outlive it.

Readers hold a cursor into the ring, never a queue: memory does not depend on how many they are or how slow.
Entries of resumable runs go to the spill as well; a reader that is behind the ring reads on from there.
"""

import asyncio
import time
from collections import OrderedDict, deque
from collections.abc import AsyncGenerator, Sequence

from robyn_server.events.interfaces import LogGap, Spill
from robyn_server.events.ring import Ring
from robyn_server.resources.event import END_OF_RUN, START, EventId, RunEvent

BATCH_BYTES = 256 << 10
SPILL_BEHIND_LIMIT = 1 << 20
ENCODER_BUFFER = 4096
"""orjson hands out what it has encoded in the buffer that it wrote into, of at least so many bytes."""

IDLE_SECONDS = 60.0
"""A ring without readers goes this long after its last run has ended, so that a client whose connection was cut finds
what it missed."""

IDLE_BYTES = 16 << 20
"""With more than this in memory, rings without readers go as soon as `GRACE` allows."""

ROOM = 16
"""The part of the memory that is made free when all of it is taken: a sixteenth."""

GRACE = 3.0
"""Seconds in which a reader that took its cursor before the run ended arrives."""


class InProcessEventLog:
    """See `interfaces.EventLog`."""

    def __init__(
        self,
        spill: Spill,
        ring_bytes: int = 256 << 20,
        ring_bytes_per_thread: int = 4 << 20,
        idle_bytes: int = IDLE_BYTES,
        grace: float = GRACE,
    ) -> None:
        self._spill = spill
        self._idle_bytes = idle_bytes
        self._grace = grace
        self._ring_bytes = ring_bytes
        self._ring_bytes_per_thread = ring_bytes_per_thread
        self._rings: OrderedDict[str, Ring] = OrderedDict()
        """Least recently appended first."""
        self._quiet: deque[tuple[float, str]] = deque()
        """When which ring had no reader and no run any more; it may have had others since."""
        self._bytes = 0
        self._highest = START
        """The highest id of any ring let go: a new ring starts above it, whatever the clock says."""

    @property
    def held_bytes(self) -> int:
        """Memory held by all rings, about."""
        return self._bytes

    def open_new(self, thread_id: str) -> EventId:
        """See `interfaces.EventLog`."""
        return self._ring(thread_id).last

    def _ring(self, thread_id: str, stored: EventId = START) -> Ring:
        ring = self._rings.get(thread_id)
        if ring is None:
            ring = self._rings[thread_id] = Ring(max(stored, self._highest))
            self._bytes += ring.bytes
        return ring

    async def tail(self, thread_id: str) -> EventId:
        """See `interfaces.EventLog`."""
        ring = self._rings.get(thread_id)
        if ring is None:
            ring = self._ring(thread_id, await self._spill.last(thread_id) or START)
        return ring.last

    async def open(self, thread_id: str) -> None:
        """See `interfaces.EventLog`."""
        if thread_id not in self._rings:
            await self.tail(thread_id)

    def append(
        self, thread_id: str, run_id: str, attempt: int, resumable: bool, events: Sequence[tuple[str, bytes]]
    ) -> None:
        """See `interfaces.EventLog`."""
        if not events:
            return
        # It may have gone since its tail was taken; a new one goes on above it.
        ring = self._rings.get(thread_id)
        if ring is None:
            ring = self._ring(thread_id)
        now_ms = time.time_ns() // 1_000_000
        entries = []
        for event, data in events:
            # Most are much shorter than the buffer that they may stand in. No function of its own: tokens come here.
            kept = b"%b" % data if len(data) < ENCODER_BUFFER else data
            entry = RunEvent(ring.next_id(now_ms), run_id, attempt, event, kept, resumable)
            self._bytes += ring.add(entry)
            entries.append(entry)
        if resumable:
            self._spill.write(thread_id, entries)
        self._rings.move_to_end(thread_id)
        while ring.bytes > self._ring_bytes_per_thread and len(ring) > 1:
            self._bytes -= ring.drop_oldest()
        if self._bytes > self._ring_bytes:
            self._make_room()
        if ring.waiters:
            ring.wake()

    async def room(self) -> None:
        """See `interfaces.EventLog`."""
        if self._spill.behind > SPILL_BEHIND_LIMIT:
            await self._spill.flushed()

    async def kept(self) -> None:
        """See `interfaces.EventLog`."""
        await self._spill.flushed()

    def end(self, thread_id: str, run_id: str, attempt: int, resumable: bool, result: bytes = b"") -> None:
        """See `interfaces.EventLog`."""
        self.append(thread_id, run_id, attempt, resumable, [(END_OF_RUN, result)])
        ring = self._ring(thread_id)
        ring.ended_at = time.monotonic()
        self._rest(thread_id, ring)

    async def follow(
        self, thread_id: str, after: EventId, run_id: str | None = None, *, stored_only: bool = False
    ) -> AsyncGenerator[list[RunEvent], None]:
        """See `interfaces.EventLog`."""
        await self.tail(thread_id)
        ring = self._ring(thread_id)
        ring.readers += 1
        batches = self._read(thread_id, ring, after, run_id, stored_only)
        try:
            async for batch in batches:
                if run_id is None:
                    yield batch
                    continue
                mine = [entry for entry in batch if entry.run_id == run_id]
                if mine:
                    yield mine
                    if mine[-1].event == END_OF_RUN:
                        return
        finally:
            ring.readers -= 1
            self._rest(thread_id, ring)
            # Left to the garbage collector it would cost a task and a wake-up of the loop.
            await batches.aclose()

    async def _read(
        self, thread_id: str, ring: Ring, cursor: EventId, run_id: str | None, stored_only: bool
    ) -> AsyncGenerator[list[RunEvent], None]:
        loop = asyncio.get_running_loop()
        live = False
        position = -1
        while not ring.closed:
            if position < ring.base:
                # Who comes late to a whole thread is shown what was kept; everybody else has missed something.
                if (live or run_id is not None) and ring.missed(cursor, run_id):
                    raise LogGap
                async for batch in self._read_spill(thread_id, ring, cursor):
                    yield batch
                    cursor = batch[-1].id
                position = ring.position_after(cursor)
            live = True
            if position < ring.end:
                batch = ring.slice(position, BATCH_BYTES)
                position += len(batch)
                cursor = batch[-1].id
                yield batch
            elif stored_only:
                return
            else:
                waiter = loop.create_future()
                ring.waiters.append(waiter)
                await waiter

    async def _read_spill(
        self, thread_id: str, ring: Ring, cursor: EventId
    ) -> AsyncGenerator[list[RunEvent], None]:
        """What the spill has between the cursor and the ring."""
        while cursor < ring.floor:
            await self._spill.flushed()
            batch = await self._spill.read(thread_id, cursor, None)
            batch = [entry for entry in batch if entry.id <= ring.floor]
            if not batch:
                return
            yield batch
            cursor = batch[-1].id

    def _make_room(self) -> None:
        """Over the process's limit: idle threads give first, then the ones appended to longest ago. They give a little
        more than is asked for, so that not every append from now on has to look through all of them."""
        enough = self._ring_bytes - self._ring_bytes // ROOM
        for only_idle in (True, False):
            for thread_id, ring in list(self._rings.items()):
                if self._bytes <= enough:
                    return
                if only_idle and not ring.is_idle:
                    continue
                if only_idle:
                    self._let_go(thread_id)
                else:
                    while len(ring) > 1 and self._bytes > enough:
                        self._bytes -= ring.drop_oldest()

    def _rest(self, thread_id: str, ring: Ring) -> None:
        """Note that a ring is not in use, if so, and let go of others that have not been for a while."""
        now = time.monotonic()
        if ring.is_idle:
            self._quiet.append((now, thread_id))
        while self._bytes > self._idle_bytes and self._quiet and self._quiet[0][0] <= now - self._grace:
            since, thread_id = self._quiet.popleft()
            other = self._rings.get(thread_id)
            if other is not None and other.is_idle and other.ended_at <= since:
                self._let_go(thread_id)

    def _let_go(self, thread_id: str) -> None:
        ring = self._rings.pop(thread_id)
        self._bytes -= ring.bytes
        self._highest = max(self._highest, ring.last)

    def sweep(self) -> int:
        """Let go of the rings of threads that nobody reads and nothing runs on; how many."""
        before = time.monotonic() - IDLE_SECONDS
        idle = [
            thread_id for thread_id, ring in self._rings.items() if ring.is_idle and ring.ended_at < before
        ]
        for thread_id in idle:
            self._let_go(thread_id)
        while self._quiet and self._quiet[0][0] < before:
            self._quiet.popleft()
        return len(idle)

    async def forget_thread(self, thread_id: str) -> None:
        """See `interfaces.EventLog`."""
        ring = self._rings.get(thread_id)
        if ring is not None:
            ring.closed = True
            ring.wake()
            self._let_go(thread_id)
        await self._spill.forget_thread(thread_id)

    async def close(self) -> None:
        """See `interfaces.EventLog`."""
        for ring in self._rings.values():
            ring.closed = True
            ring.wake()
        await self._spill.close()
