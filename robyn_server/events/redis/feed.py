"""Reads the streams of all threads that somebody follows here, on one connection, into their rings."""

import asyncio
import logging
import math
import time
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import RedisError

from robyn_server.events.redis.entries import GONE, PREFIX, Entries, entry_of, key_of
from robyn_server.events.ring import Ring
from robyn_server.resources.event import EventId
from robyn_server.resources.ids import random_id

logger = logging.getLogger(__name__)

BLOCK_MS = 2_000
PAGE = 500
RETRY_SECONDS = 0.25
WAKE_SECONDS = 60
QUIET_SECONDS = 15.0
"""After so long without an entry, whoever waits for one is told that none has come."""
SOON_SECONDS = 3.0
"""The same while Redis is away and shortly after, when entries may have been lost."""
SHORTLY = 30.0


class RedisFeed:
    """The reading half of `RedisEventLog`."""

    def __init__(self, redis: Redis, ring_bytes_per_thread: int) -> None:
        self._redis = redis
        self._ring_bytes = ring_bytes_per_thread
        self._rings: dict[str, Ring] = {}
        self._wake_key = f"{PREFIX}wake:{random_id()}"
        """A stream of our own: an entry there ends the waiting, because there are other threads to read now."""
        self._woken = "0-0"
        self._task: asyncio.Task[None] | None = None
        self._waker: asyncio.Task[None] | None = None
        self._outdated = False
        """Whether threads have come that the reading under way leaves out."""
        self.closed = False
        self._troubled_at = -math.inf
        self._away = False

    def reading(self, thread_id: str) -> Ring | None:
        """The ring of a thread that somebody follows already."""
        return self._rings.get(thread_id)

    def begin(self, thread_id: str, tail: EventId) -> Ring:
        """Feed a ring with all that comes after `tail`."""
        ring = self._rings.get(thread_id)
        if ring is None:
            ring = self._rings[thread_id] = Ring(tail)
            if self._task is None or self._task.done():
                self._task = asyncio.get_running_loop().create_task(self._run(), name="event log feed")
                return ring
            self._outdated = True
            if self._waker is None or self._waker.done():
                self._waker = asyncio.get_running_loop().create_task(self._wake(), name="event log waker")
        return ring

    def end_unread(self, thread_id: str) -> None:
        """Feed a thread no longer when nobody follows it."""
        ring = self._rings.get(thread_id)
        if ring is not None and not ring.readers:
            del self._rings[thread_id]

    async def close(self) -> None:
        """End all readers."""
        self.closed = True
        for task in (self._task, self._waker):
            if task is not None:
                task.cancel()
                await asyncio.wait([task])
        for ring in self._rings.values():
            ring.closed = True
            ring.wake()

    async def _run(self) -> None:
        while self._rings:
            try:
                await self._read_once()
                self._away = False
            except (RedisError, OSError) as error:
                self._troubled_at = time.monotonic()
                if not self._away:
                    self._away = True
                    logger.warning("Cannot read events from Redis: %s", error)
                await asyncio.sleep(RETRY_SECONDS)
            self._wake_quiet()

    def _wake_quiet(self) -> None:
        """Who waits for an entry that was lost would wait for ever."""
        now = time.monotonic()
        patience = SOON_SECONDS if now - self._troubled_at < SHORTLY else QUIET_SECONDS
        for ring in self._rings.values():
            if now - ring.heard_at > patience:
                ring.heard_at = now
                ring.wake()

    async def _read_once(self) -> None:
        places = {key_of(thread_id): str(ring.last) for thread_id, ring in self._rings.items()}
        threads = {key_of(thread_id).encode(): thread_id for thread_id in self._rings}
        answer = await self._redis.xread({self._wake_key: self._woken, **places}, count=PAGE, block=BLOCK_MS)  # type: ignore[dict-item]
        for key, entries in _by_key(answer):
            thread_id = threads.get(key)
            if thread_id is None:
                self._woken = entries[-1][0].decode()
            else:
                self._take(thread_id, entries)

    def _take(self, thread_id: str, entries: Entries) -> None:
        ring = self._rings.get(thread_id)
        if ring is None:
            return
        for raw_id, fields in entries:
            entry = entry_of(raw_id, fields)
            if entry.event == GONE:
                ring.closed = True
            elif entry.id > ring.last:
                # Not when the ring was made anew while this was being read.
                ring.add(entry)
        ring.heard_at = time.monotonic()
        while ring.bytes > self._ring_bytes and len(ring) > 1:
            ring.drop_oldest()
        ring.wake()
        if ring.closed:
            del self._rings[thread_id]

    async def _wake(self) -> None:
        try:
            while self._outdated:
                self._outdated = False
                async with self._redis.pipeline(transaction=False) as pipe:
                    pipe.xadd(self._wake_key, {"w": 1}, maxlen=1)
                    pipe.expire(self._wake_key, WAKE_SECONDS)
                    await pipe.execute()
        except (RedisError, OSError) as error:
            # The feed looks anew after BLOCK_MS at the latest.
            logger.warning("Cannot wake the event log: %s", error)


def _by_key(answer: Any) -> list[tuple[bytes, Entries]]:
    return answer or []
