"""Hints between processes, by Redis's publish and subscribe."""

import asyncio
import logging
from collections.abc import Callable

from redis.asyncio import Redis
from redis.exceptions import RedisError

from robyn_server.events.notifier import InProcessNotifier
from robyn_server.events.redis.entries import PREFIX
from robyn_server.resources.ids import random_id

logger = logging.getLogger(__name__)

QUEUED = f"{PREFIX}queued"
CANCELLED = f"{PREFIX}cancelled"
RETRY_SECONDS = 0.5


class RedisNotifier:
    """See `interfaces.Notifier`. Listeners of this process are told at once, those of others through Redis."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._here = InProcessNotifier()
        self._name = random_id()
        self._outgoing: dict[tuple[str, str], None] = {}
        """Channel and text of what is to be said, each once."""
        self._speaking: asyncio.Task[None] | None = None
        self._listening = asyncio.get_running_loop().create_task(self._listen(), name="hints")

    def run_queued(self) -> None:
        """See `interfaces.Notifier`."""
        self._here.run_queued()
        self._say(QUEUED, self._name)

    def cancel_requested(self, run_id: str) -> None:
        """See `interfaces.Notifier`."""
        self._here.cancel_requested(run_id)
        self._say(CANCELLED, run_id)

    def on_run_queued(self, listener: Callable[[], None]) -> None:
        """See `interfaces.Notifier`."""
        self._here.on_run_queued(listener)

    def on_cancel_requested(self, listener: Callable[[str], None]) -> None:
        """See `interfaces.Notifier`."""
        self._here.on_cancel_requested(listener)

    async def close(self) -> None:
        """Say what is left, and listen no more."""
        if self._speaking is not None:
            await asyncio.wait([self._speaking])
        self._listening.cancel()
        await asyncio.wait([self._listening])

    def _say(self, channel: str, text: str) -> None:
        self._outgoing[channel, text] = None
        if self._speaking is None or self._speaking.done():
            self._speaking = asyncio.get_running_loop().create_task(self._speak(), name="hints out")

    async def _speak(self) -> None:
        while self._outgoing:
            said, self._outgoing = self._outgoing, {}
            try:
                async with self._redis.pipeline(transaction=False) as pipe:
                    for channel, text in said:
                        pipe.publish(channel, text)
                    await pipe.execute()
            except (RedisError, OSError) as error:
                # Polls and heartbeats find out without it.
                logger.warning("A hint was not sent: %s", error)

    async def _listen(self) -> None:
        away = False
        while True:
            try:
                async with self._redis.pubsub(ignore_subscribe_messages=True) as channel:
                    await channel.subscribe(QUEUED, CANCELLED)
                    away = False
                    async for message in channel.listen():
                        self._heard(message["channel"].decode(), message["data"].decode())
            except (RedisError, OSError) as error:
                if not away:
                    away = True
                    logger.warning("Hints from other servers are not heard: %s", error)
                await asyncio.sleep(RETRY_SECONDS)

    def _heard(self, channel: str, text: str) -> None:
        # Our own come back too. A second one to claim would be a claim in vain; a second one to cancel does no harm.
        if channel == QUEUED:
            if text != self._name:
                self._here.run_queued()
        else:
            self._here.cancel_requested(text)
