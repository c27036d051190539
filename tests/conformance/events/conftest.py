"""Every event log there is, under one name."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from redis.asyncio import Redis

from robyn_server.events.interfaces import EventLog
from robyn_server.events.log import InProcessEventLog
from robyn_server.events.redis_entries import connect
from robyn_server.events.redis_log import RedisEventLog
from robyn_server.storage.cipher import CLEAR, AesGcm, Cipher, DerivedKeys
from robyn_server.storage.event_sealing import EventSealing
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


@pytest.fixture(params=["in_process", "sealed", "on_redis", "sealed_on_redis"])
def event_log(request: pytest.FixtureRequest) -> EventLog:
    log: EventLog = request.getfixturevalue(request.param)
    return log
