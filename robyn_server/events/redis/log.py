"""The event log of many processes: a Redis stream per thread, and a ring per thread that somebody reads here.

Redis gives the ids, so that any process may append to a thread whatever its clock says. What is appended travels in
batches, one pipeline after the other; readers get everything back through the ring, which one reading connection
feeds for all threads (`feed.py`).
"""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from itertools import takewhile

from redis.asyncio import Redis
from redis.exceptions import RedisError

from robyn_server.errors import Unavailable
from robyn_server.events.interfaces import LogGap
from robyn_server.events.redis.entries import GONE, LOST, entry_of, key_of, listed, parsed
from robyn_server.events.redis.feed import SOON_SECONDS, RedisFeed
from robyn_server.events.redis.writer import RedisWriter
from robyn_server.events.ring import Ring
from robyn_server.events.sealing import IN_CLEAR, Sealing
from robyn_server.resources.event import END_OF_RUN, START, EventId, RunEvent

BATCH_BYTES = 256 << 10
PAGE = 500


class RedisEventLog:
    """See `interfaces.EventLog`. An entry is kept until `keep_seconds` after the last end of a run on its thread, and
    of one thread the newest `most_entries`, about. Entries wait `patience` seconds for a Redis that is away. Raises
    `Unavailable` where it has to be asked."""

    def __init__(
        self,
        redis: Redis,
        *,
        keep_seconds: int,
        most_entries: int = 20_000,
        patience: float = 10.0,
        ring_bytes_per_thread: int = 4 << 20,
        sealing: Sealing = IN_CLEAR,
    ) -> None:
        self._redis = redis
        self._sealing = sealing
        self._writer = RedisWriter(redis, keep_seconds, most_entries, patience)
        self._feed = RedisFeed(redis, ring_bytes_per_thread)

    def open_new(self, thread_id: str) -> EventId:
        """See `interfaces.EventLog`."""
        return START

    async def open(self, thread_id: str) -> None:
        """See `interfaces.EventLog`; here nothing has to be done before `append`."""

    async def tail(self, thread_id: str) -> EventId:
        """See `interfaces.EventLog`."""
        await self._writer.flushed(thread_id)
        try:
            newest = listed(await self._redis.xrevrange(key_of(thread_id), count=1))
        except RedisError as error:
            raise Unavailable(f"The event log cannot be read: {error}.") from error
        return parsed(newest[0][0]) if newest else START

    def append(
        self, thread_id: str, run_id: str, attempt: int, resumable: bool, events: Sequence[tuple[str, bytes]]
    ) -> None:
        """See `interfaces.EventLog`."""
        sealed = [(event, self._sealing.seal(data)) for event, data in events]
        self._writer.append(thread_id, run_id, attempt, resumable, sealed)

    async def room(self) -> None:
        """See `interfaces.EventLog`."""
        await self._writer.room()

    async def kept(self) -> None:
        """See `interfaces.EventLog`."""
        await self._writer.flushed()

    def end(self, thread_id: str, run_id: str, attempt: int, resumable: bool, result: bytes = b"") -> None:
        """See `interfaces.EventLog`."""
        self._writer.append(thread_id, run_id, attempt, resumable, [(END_OF_RUN, self._sealing.seal(result))])

    async def follow(
        self, thread_id: str, after: EventId, run_id: str | None = None, *, stored_only: bool = False
    ) -> AsyncGenerator[list[RunEvent], None]:
        """See `interfaces.EventLog`."""
        if stored_only:
            batches = self._stored(thread_id, after, await self.tail(thread_id), run_id is not None)
        else:
            batches = self._live(thread_id, after, run_id is not None)
        async with aclosing(batches):
            async for batch in batches:
                if batch and batch[-1].event == GONE:
                    return
                mine = [
                    entry
                    for entry in batch
                    if entry.event != GONE
                    and run_id in (None, entry.run_id)
                    # Who comes late to a whole thread is shown what there is; everybody else has missed something.
                    and not (entry.event == LOST and run_id is None and stored_only)
                ]
                whole = list(takewhile(lambda entry: entry.event != LOST, mine))
                if whole or not batch:
                    yield await self._sealing.opened(whole)
                    if run_id is not None and whole and whole[-1].event == END_OF_RUN:
                        return
                if len(whole) < len(mine):
                    raise LogGap

    async def forget_thread(self, thread_id: str) -> None:
        """See `interfaces.EventLog`. Readers of every process end."""
        await self._writer.flushed(thread_id)
        self._writer.append(thread_id, "", 0, False, [(GONE, b"")])
        await self._writer.flushed(thread_id)

    async def close(self) -> None:
        """See `interfaces.EventLog`. The client stays open: it is not ours alone."""
        await self._writer.close()
        await self._feed.close()

    async def _live(
        self, thread_id: str, cursor: EventId, strict: bool
    ) -> AsyncGenerator[list[RunEvent], None]:
        while (ring := self._feed.reading(thread_id)) is None:
            if self._feed.closed:
                return
            try:
                ring = self._feed.begin(thread_id, await self.tail(thread_id))
                break
            except Unavailable:
                yield []
                await asyncio.sleep(SOON_SECONDS)
        ring.readers += 1
        batches = self._read(thread_id, ring, cursor, strict)
        try:
            async for batch in batches:
                yield batch
        finally:
            ring.readers -= 1
            self._feed.end_unread(thread_id)
            await batches.aclose()

    async def _read(
        self, thread_id: str, ring: Ring, cursor: EventId, strict: bool
    ) -> AsyncGenerator[list[RunEvent], None]:
        loop = asyncio.get_running_loop()
        position = -1
        while not ring.closed:
            if position < ring.base:
                # Behind the ring, which may move on meanwhile.
                while cursor < (floor := ring.floor):
                    try:
                        async for batch in self._stored(thread_id, cursor, floor, strict):
                            yield batch
                            cursor, strict = batch[-1].id, True
                    except Unavailable:
                        yield []
                        await asyncio.sleep(SOON_SECONDS)
                    else:
                        cursor, strict = floor, True
                position = ring.position_after(cursor)
            if position < ring.end:
                batch = ring.slice(position, BATCH_BYTES)
                position += len(batch)
                cursor = batch[-1].id
                yield batch
            else:
                waiter = loop.create_future()
                ring.waiters.append(waiter)
                await waiter
                if position == ring.end:
                    yield []

    async def _stored(
        self, thread_id: str, cursor: EventId, last: EventId, strict: bool
    ) -> AsyncGenerator[list[RunEvent], None]:
        """What Redis has after the cursor up to `last`. `strict`: raises `LogGap` when something before it is gone."""
        key = key_of(thread_id)
        try:
            if strict and cursor < last and await self._is_cut(key, cursor):
                raise LogGap
            while cursor < last:
                page = await self._redis.xrange(key, min=f"({cursor}", max=str(last), count=PAGE)
                batch = [entry_of(raw_id, fields) for raw_id, fields in listed(page)]
                if not batch:
                    return
                cursor = batch[-1].id
                yield batch
        except RedisError as error:
            raise Unavailable(f"The event log cannot be read: {error}.") from error

    async def _is_cut(self, key: str, cursor: EventId) -> bool:
        """Whether entries after the cursor may have been dropped for their number."""
        if not await self._redis.exists(key):
            return cursor > START
        told = await self._redis.xinfo_stream(key)
        first = told["first-entry"]
        return told["entries-added"] != told["length"] and (first is None or cursor < parsed(first[0]))
