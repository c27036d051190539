"""Counters that several processes share."""

import asyncio

from redis.asyncio import Redis
from redis.exceptions import RedisError

from robyn_server.errors import Unavailable
from robyn_server.events.redis.entries import PREFIX, connect

PATIENCE = 0.25
"""Seconds: a request waits for this answer."""


class RedisCounters:
    """See `interfaces.Counters`."""

    def __init__(self, uri: str) -> None:
        self._redis: Redis = connect(uri)

    async def add(self, key: str, keep_seconds: int) -> int:
        """See `interfaces.Counters`."""
        name = f"{PREFIX}count:{key}"
        try:
            async with asyncio.timeout(PATIENCE), self._redis.pipeline(transaction=False) as pipe:
                pipe.incr(name)
                pipe.expire(name, keep_seconds)
                count, _ = await pipe.execute()
        except (RedisError, OSError, TimeoutError) as error:
            raise Unavailable(f"Redis cannot count: {error or 'no answer'}") from error
        return int(count)

    async def close(self) -> None:
        """See `interfaces.Counters`."""
        await self._redis.aclose()
