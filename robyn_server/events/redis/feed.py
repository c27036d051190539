"""Reads the streams of all threads that somebody follows here into their rings.

A thread is read when there is something to read: its writers say so on its channel, and it is read once when its
channel has been subscribed to, also after a broken connection. So a quiet thread costs nothing while others speak.
"""

import asyncio
import logging
import math
import time
from contextlib import suppress
from itertools import islice
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.client import PubSub
from redis.exceptions import RedisError

from robyn_server.events.redis.entries import (
    GONE,
    SILENCE_SECONDS,
    Entries,
    entry_of,
    key_of,
    thread_of,
)
from robyn_server.events.ring import Ring
from robyn_server.resources.event import EventId

logger = logging.getLogger(__name__)

PAGE = 500
MOST_AT_ONCE = 200
"""Threads of one command: neither Redis nor the loop shall be held up for long."""
RETRY_SECONDS = 0.25
CHECK_SECONDS = 2.0
"""So often everything is read unasked: a writer may die between an entry and the word of it, or be of a version that
tells nobody."""
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
        self._begun: dict[str, None] = {}
        """Threads whose channels are to be subscribed to."""
        self._subscribed: set[str] = set()
        self._fresh: dict[str, None] = {}
        """Threads that have something to be read, longest first."""
        self._unsure: dict[str, None] = {}
        """Threads that are read unasked, as a check."""
        self._stirred = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.closed = False
        self._heard_at = -math.inf
        self._checked_at = -math.inf
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
            self._begun[thread_id] = None
            self._stirred.set()
            if self._task is None or self._task.done():
                self._task = asyncio.get_running_loop().create_task(self._run(), name="event log feed")
        return ring

    def end_unread(self, thread_id: str) -> None:
        """Feed a thread no longer when nobody follows it."""
        ring = self._rings.get(thread_id)
        if ring is not None and not ring.readers:
            del self._rings[thread_id]

    async def close(self) -> None:
        """End all readers."""
        self.closed = True
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        for ring in self._rings.values():
            ring.closed = True
            ring.wake()

    async def _run(self) -> None:
        while self._rings:
            try:
                await self._connected()
            except* (RedisError, OSError) as errors:
                self._troubled_at = time.monotonic()
                if not self._away:
                    self._away = True
                    logger.warning("Cannot read events from Redis: %s", errors.exceptions[0])
                await asyncio.sleep(RETRY_SECONDS)
                self._wake_quiet()

    async def _connected(self) -> None:
        """Feed all rings until none is left. When either reading or listening fails, both begin anew."""
        self._subscribed.clear()
        self._begun = dict.fromkeys(self._rings)
        self._heard_at = self._checked_at = time.monotonic()
        async with self._redis.pubsub() as channels:
            await self._subscribe(channels)
            async with asyncio.TaskGroup() as tasks:
                listening = tasks.create_task(self._listen(channels), name="event log news")
                while self._rings:
                    await self._step(channels)
                listening.cancel()

    async def _listen(self, channels: PubSub) -> None:
        while True:
            message = await channels.get_message(timeout=None)
            self._heard_at = time.monotonic()
            # A subscription is news too: what came before it has not been told.
            if message is not None and message["type"] in ("message", "subscribe"):
                self._fresh[thread_of(message["channel"])] = None
                self._stirred.set()

    async def _step(self, channels: PubSub) -> None:
        self._stirred.clear()
        left = self._checked_at + CHECK_SECONDS - time.monotonic()
        if left <= 0:
            await self._check(channels)
        elif not (self._begun or self._fresh or self._unsure):
            with suppress(TimeoutError):
                async with asyncio.timeout(left):
                    await self._stirred.wait()
        if self._begun:
            await self._subscribe(channels)
        # Neither keeps the other waiting, however much there is of it.
        for names in (self._fresh, self._unsure):
            if names:
                await self._read(names)

    async def _subscribe(self, channels: PubSub) -> None:
        names = list(islice(self._begun, MOST_AT_ONCE))
        for thread_id in names:
            del self._begun[thread_id]
        self._subscribed.update(names)
        await channels.subscribe(*map(key_of, names))

    async def _check(self, channels: PubSub) -> None:
        """What goes by time. Raises `TimeoutError` when the channels are silent: a ping is news too."""
        now = self._checked_at = time.monotonic()
        if now - self._heard_at > SILENCE_SECONDS:
            raise TimeoutError("Redis is silent")
        await channels.ping()
        left = self._subscribed.difference(self._rings)
        if left:
            self._subscribed -= left
            await channels.unsubscribe(*map(key_of, left))
        self._unsure = dict.fromkeys(self._rings)
        self._wake_quiet()

    def _wake_quiet(self) -> None:
        """Who waits for an entry that was lost would wait for ever."""
        now = time.monotonic()
        patience = SOON_SECONDS if now - self._troubled_at < SHORTLY else QUIET_SECONDS
        for ring in self._rings.values():
            if now - ring.heard_at > patience:
                ring.heard_at = now
                ring.wake()

    async def _read(self, names: dict[str, None]) -> None:
        """Read the first of some threads."""
        places: dict[str, str] = {}
        for thread_id in list(islice(names, MOST_AT_ONCE)):
            del names[thread_id]
            ring = self._rings.get(thread_id)
            if ring is not None:
                places[key_of(thread_id)] = str(ring.last)
        if not places:
            return
        answer = await self._redis.xread(places, count=PAGE)  # type: ignore[arg-type]
        self._away = False
        for key, entries in _by_key(answer):
            thread_id = thread_of(key)
            if len(entries) == PAGE:
                self._fresh[thread_id] = None
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


def _by_key(answer: Any) -> list[tuple[bytes, Entries]]:
    return answer or []
