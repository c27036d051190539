"""Opens the event log and the hints that several processes share."""

from redis.exceptions import RedisError

from robyn_server.errors import StartupError
from robyn_server.events.redis.entries import connect
from robyn_server.events.redis.log import RedisEventLog
from robyn_server.events.redis.notifier import RedisNotifier
from robyn_server.events.sealing import IN_CLEAR, Sealing
from robyn_server.settings import Settings


class SharedEventLog(RedisEventLog):
    """A `RedisEventLog` that closes its client, which nobody else uses when it is closed."""

    async def close(self) -> None:
        """See `interfaces.EventLog`."""
        await super().close()
        await self._redis.aclose()


async def open_shared_events(
    settings: Settings, sealing: Sealing = IN_CLEAR
) -> tuple[SharedEventLog, RedisNotifier]:
    """Both, on the running loop; close the log last. Raises `StartupError`."""
    assert settings.redis_uri is not None, "Redis was asked for"
    redis = connect(settings.redis_uri)
    try:
        await redis.ping()
    except (RedisError, OSError) as error:
        await redis.aclose()
        raise StartupError(f"Redis cannot be reached: {error}. Check REDIS_URI and the server.") from error
    log = SharedEventLog(
        redis,
        keep_seconds=int(settings.resumable_ttl.total_seconds()),
        patience=settings.redis_patience.total_seconds(),
        ring_bytes_per_thread=settings.ring_bytes_per_thread,
        sealing=sealing,
    )
    return log, RedisNotifier(redis)
