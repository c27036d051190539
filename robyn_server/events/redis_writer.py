"""Appends to Redis in batches: while one pipeline is under way, the next one gathers."""

import asyncio
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass

from redis.asyncio import Redis
from redis.exceptions import RedisError

from robyn_server.events.redis_entries import GONE, key_of, listed
from robyn_server.resources.event import END_OF_RUN
from robyn_server.resources.ids import random_id

logger = logging.getLogger(__name__)

MOST_AT_ONCE = 256
BEHIND_LIMIT = 1 << 20
"""Bytes: past it, whoever appends waits."""
GIVE_UP_SECONDS = 10.0
"""So long entries wait for Redis to come back; then they are dropped, and the runs go on."""
RETRY_SECONDS = 0.1
LIVE_SECONDS = 2 * 86_400
"""How long a stream stays on whose run has not ended: longer than any run is silent."""
GONE_SECONDS = 60


@dataclass(frozen=True, slots=True)
class _Pending:
    thread_id: str
    serial: int
    fields: dict[str, str | bytes | int]
    event: str

    @property
    def size(self) -> int:
        return len(self.fields["d"])  # type: ignore[arg-type]


class RedisWriter:
    """The appending half of `RedisEventLog`."""

    def __init__(self, redis: Redis, keep_seconds: int, most_entries: int) -> None:
        self._redis = redis
        self._keep_seconds = keep_seconds
        self._most_entries = most_entries
        self._name = random_id()
        self._serial = 0
        self._pending: list[_Pending] = []
        self._behind = 0
        self._task: asyncio.Task[None] | None = None

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
            self._pending.append(_Pending(thread_id, self._serial, fields, event))
            self._behind += len(data)
        if self._pending and (self._task is None or self._task.done()):
            self._task = asyncio.get_running_loop().create_task(self._send_all(), name="event log writer")

    async def room(self) -> None:
        """Wait while too much has not been sent."""
        if self._behind > BEHIND_LIMIT:
            await self.flushed()

    async def flushed(self, thread_id: str | None = None) -> None:
        """Wait until what was appended so far (to a thread) is sent, or given up."""
        if self._task is not None and not self._task.done():
            waits = thread_id is None or any(one.thread_id == thread_id for one in self._pending)
            if waits:
                await asyncio.shield(self._task)

    async def close(self) -> None:
        """Send what is left."""
        await self.flushed()

    async def _send_all(self) -> None:
        while self._pending:
            batch = self._pending[:MOST_AT_ONCE]
            await self._send(batch)
            del self._pending[: len(batch)]
            self._behind -= sum(one.size for one in batch)

    async def _send(self, batch: Sequence[_Pending]) -> None:
        give_up_at = time.monotonic() + GIVE_UP_SECONDS
        left = batch
        tried = False
        while True:
            try:
                if tried:
                    left = await self._unkept(batch)
                await self._pipe(left)
            except (RedisError, OSError) as error:
                if time.monotonic() > give_up_at:
                    logger.warning("Dropped %d events that could not be sent to Redis: %s", len(left), error)
                    return
                tried = True
                await asyncio.sleep(RETRY_SECONDS)
            else:
                return

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
