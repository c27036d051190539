"""Appends to Redis in batches: while one pipeline is under way, the next one gathers."""

import asyncio
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain

from redis.asyncio import Redis
from redis.exceptions import RedisError

from robyn_server.events.redis.entries import GONE, LOST, key_of, listed
from robyn_server.resources.event import END_OF_RUN
from robyn_server.resources.ids import random_id

logger = logging.getLogger(__name__)

MOST_AT_ONCE = 256
BEHIND_LIMIT = 1 << 20
"""Bytes: past it, whoever appends waits."""
MOST_REMEMBERED = 10_000
"""Marks and closing entries that are kept for as long as Redis is away."""
RETRY_SECONDS = 0.1
LIVE_SECONDS = 2 * 86_400
"""How long a stream stays on whose run has not ended: longer than any run is silent."""
GONE_SECONDS = 60
KEPT_EVENTS = frozenset({END_OF_RUN, GONE, LOST})


@dataclass(frozen=True, slots=True)
class _Pending:
    thread_id: str
    run_id: str
    serial: int
    fields: dict[str, str | bytes | int]
    event: str

    @property
    def size(self) -> int:
        return len(self.fields["d"])  # type: ignore[arg-type]

    def as_lost(self) -> "_Pending":
        """What tells readers that this, and what the run said before it, is not there."""
        return replace(self, event=LOST, fields={**self.fields, "e": LOST, "d": b""})


class RedisWriter:
    """The appending half of `RedisEventLog`. Entries wait `patience` seconds for a Redis that is away. After that, of
    each run no more is kept than a mark and its closing entry, which are sent when it is back."""

    def __init__(self, redis: Redis, keep_seconds: int, most_entries: int, patience: float) -> None:
        self._redis = redis
        self._keep_seconds = keep_seconds
        self._most_entries = most_entries
        self._patience = patience
        self._name = random_id()
        self._serial = 0
        self._sending: list[_Pending] = []
        self._pending: list[_Pending] = []
        self._behind = 0
        self._task: asyncio.Task[None] | None = None
        self._away_since: float | None = None
        self._given_up = False
        self._waiters: list[asyncio.Future[None]] = []

    def append(
        self, thread_id: str, run_id: str, attempt: int, resumable: bool, events: Sequence[tuple[str, bytes]]
    ) -> None:
        """Take entries; they are sent at once, in order."""
        for event, data in events:
            self._serial += 1
            fields: dict[str, str | bytes | int] = {
                "r": run_id, "a": attempt, "e": event, "d": data, "k": int(resumable),
                "w": self._name, "n": self._serial,
            }  # fmt: skip
            self._pending.append(_Pending(thread_id, run_id, self._serial, fields, event))
            self._behind += len(data)
        if self._given_up and self._behind > BEHIND_LIMIT:
            self._drop()
        if self._pending and (self._task is None or self._task.done()):
            self._task = asyncio.get_running_loop().create_task(self._send_all(), name="event log writer")

    async def room(self) -> None:
        """Wait while too much has not been sent."""
        if self._behind > BEHIND_LIMIT:
            await self.flushed()

    async def flushed(self, thread_id: str | None = None) -> None:
        """Wait until what was appended so far (to a thread) is sent, or given up."""
        unsent = chain(self._sending, self._pending)
        until = max((one.serial for one in unsent if thread_id in (None, one.thread_id)), default=0)
        while not self._given_up and any(one.serial <= until for one in self._oldest()):
            waiter = asyncio.get_running_loop().create_future()
            self._waiters.append(waiter)
            await waiter

    async def close(self) -> None:
        """Send what is left."""
        await self.flushed()
        if self._task is not None and not self._task.done():
            if self._given_up:
                self._task.cancel()
            await asyncio.wait([self._task])

    def _oldest(self) -> list[_Pending]:
        """The first that is not sent, if any."""
        return (self._sending or self._pending)[:1]

    async def _send_all(self) -> None:
        tried = False
        while self._pending:
            self._sending = self._pending[:MOST_AT_ONCE]
            del self._pending[: len(self._sending)]
            try:
                await self._pipe(await self._unkept(self._sending) if tried else self._sending)
            except (RedisError, OSError) as error:
                tried = True
                self._pending[:0] = self._sending
                self._sending = []
                self._failed(error)
                await asyncio.sleep(RETRY_SECONDS)
            else:
                tried = False
                self._behind -= sum(one.size for one in self._sending)
                self._sending = []
                self._away_since, self._given_up = None, False
                self._tell()

    def _failed(self, error: Exception) -> None:
        now = time.monotonic()
        if self._away_since is None:
            self._away_since = now
            logger.warning("Events cannot be sent to Redis: %s", error)
        if now - self._away_since < self._patience:
            return
        if not self._given_up:
            self._given_up = True
            logger.warning("Redis is away: events are dropped until it is back")
        self._drop()
        self._tell()

    def _drop(self) -> None:
        """Keep of each run a mark in the place of its last dropped entry, and its closing entry."""
        last: dict[tuple[str, str], _Pending] = {
            (one.thread_id, one.run_id): one for one in self._pending if one.event not in KEPT_EVENTS
        }
        marks = {one.serial for one in last.values()}
        kept = [
            one if one.event in KEPT_EVENTS else one.as_lost()
            for one in self._pending
            if one.event in KEPT_EVENTS or one.serial in marks
        ]
        newest_mark = {(one.thread_id, one.run_id): one.serial for one in kept if one.event == LOST}
        self._pending = [
            one for one in kept if one.event != LOST or newest_mark[one.thread_id, one.run_id] == one.serial
        ][-MOST_REMEMBERED:]
        self._behind = sum(one.size for one in (*self._sending, *self._pending))

    def _tell(self) -> None:
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)

    async def _pipe(self, batch: Sequence[_Pending]) -> None:
        if not batch:
            return
        keep: dict[str, int] = {}
        async with self._redis.pipeline(transaction=False) as pipe:
            for one in batch:
                gone = one.event == GONE
                pipe.xadd(
                    key_of(one.thread_id),
                    one.fields,  # type: ignore[arg-type]
                    maxlen=1 if gone else self._most_entries,
                    approximate=not gone,
                )
                ended = self._keep_seconds if one.event == END_OF_RUN else LIVE_SECONDS
                keep[one.thread_id] = GONE_SECONDS if gone else ended
            for thread_id, seconds in keep.items():
                pipe.expire(key_of(thread_id), max(seconds, 1))
            await pipe.execute()

    async def _unkept(self, batch: Sequence[_Pending]) -> list[_Pending]:
        """What of a batch, whose answer was lost, Redis does not have."""
        newest: dict[str, int] = {}
        for thread_id in {one.thread_id for one in batch}:
            newest_entries = await self._redis.xrevrange(key_of(thread_id), count=len(batch) + 16)
            for _, fields in listed(newest_entries):
                if fields[b"w"].decode() == self._name:
                    newest[thread_id] = int(fields[b"n"])
                    break
        return [one for one in batch if one.serial > newest.get(one.thread_id, 0)]
