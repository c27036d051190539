"""Every event log there is, under one name."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from redis.asyncio import Redis

from robyn_server.events.hub.hub import EventHub, ServerFacts
from robyn_server.events.hub.link import HubLink
from robyn_server.events.hub.log import JoinedEventLog
from robyn_server.events.interfaces import EventLog
from robyn_server.events.log import InProcessEventLog
from robyn_server.events.notifier import InProcessNotifier
from robyn_server.events.redis.entries import connect
from robyn_server.events.redis.log import RedisEventLog
from robyn_server.storage.encryption.cipher import CLEAR, AesGcm, Cipher, DerivedKeys
from robyn_server.storage.encryption.events import EventSealing
from robyn_server.storage.event_spill import open_spill
from tests.redis_server import RedisServer


@pytest.fixture
async def redis(redis_server: RedisServer) -> AsyncIterator[Redis]:
    """A client of an empty Redis."""
    async with connect(redis_server.uri) as client:
        await client.flushall()
        yield client


def opened_in_process(folder: Path, cipher: Cipher) -> InProcessEventLog:
    return InProcessEventLog(open_spill(folder, cipher), ring_bytes=200_000, ring_bytes_per_thread=50_000)


@pytest.fixture
async def in_process(tmp_path: Path) -> AsyncIterator[InProcessEventLog]:
    log = opened_in_process(tmp_path, CLEAR)
    yield log
    await log.close()


@pytest.fixture
async def sealed(tmp_path: Path) -> AsyncIterator[InProcessEventLog]:
    log = opened_in_process(tmp_path, AesGcm(DerivedKeys(bytes(32))))
    yield log
    await log.close()


@pytest.fixture
async def on_redis(redis: Redis) -> AsyncIterator[RedisEventLog]:
    log = RedisEventLog(redis, keep_seconds=60, ring_bytes_per_thread=50_000)
    yield log
    await log.close()


@pytest.fixture
async def sealed_on_redis(redis: Redis) -> AsyncIterator[RedisEventLog]:
    sealing = EventSealing(AesGcm(DerivedKeys(bytes(32))))
    log = RedisEventLog(redis, keep_seconds=60, ring_bytes_per_thread=50_000, sealing=sealing)
    yield log
    await log.close()


class Installation:
    """A server's log with its hub, which may die and come again, and the links of workers."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.notifier = InProcessNotifier()
        self.entered: list[str] = []
        self._opened: tuple[EventHub, InProcessEventLog] | None = None
        self._links: list[HubLink] = []

    @property
    def log(self) -> InProcessEventLog:
        assert self._opened is not None
        return self._opened[1]

    async def serve(self, schema: str = "1") -> None:
        spill = open_spill(self.folder)
        log = InProcessEventLog(spill, ring_bytes=200_000, ring_bytes_per_thread=50_000)
        about = ServerFacts(schema, "127.0.0.1", 1)
        self._opened = EventHub(self.folder, log, spill, self.notifier, about, self._enter), log
        await self._opened[0].listen()

    async def stop(self) -> None:
        if self._opened is not None:
            hub, log = self._opened
            self._opened = None
            await hub.close()
            await log.close()

    def hang_up(self) -> None:
        """The connections of workers break; the server does not stop."""
        assert self._opened is not None
        for guest in list(self._opened[0]._guests):
            guest.hang_up()

    async def _enter(self, context: str) -> None:
        self.entered.append(context)

    async def link(
        self, on_refused: Callable[[], object] | None = None, context: Callable[[], str] | None = None
    ) -> HubLink:
        link = HubLink(self.folder, "1", on_refused, context)
        async with asyncio.timeout(5):
            await link.start()
        self._links.append(link)
        return link

    async def end(self) -> None:
        for link in self._links:
            await link.close()
        await self.stop()


@pytest.fixture
async def installation(tmp_path: Path) -> AsyncIterator[Installation]:
    """A server that workers may join."""
    made = Installation(tmp_path)
    await made.serve()
    yield made
    await made.end()


@pytest.fixture
async def joined(installation: Installation) -> JoinedEventLog:
    """The log of a worker process."""
    return JoinedEventLog(await installation.link())


@pytest.fixture(params=["in_process", "sealed", "on_redis", "sealed_on_redis", "joined"])
def event_log(request: pytest.FixtureRequest) -> EventLog:
    log: EventLog = request.getfixturevalue(request.param)
    return log
