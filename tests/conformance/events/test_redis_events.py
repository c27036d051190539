"""What is Redis's own: several processes on one log, hints between them, and a Redis that goes away."""

import asyncio
import signal
from collections.abc import AsyncIterator, Iterator

import pytest
from redis.asyncio import Redis

from robyn_server.events.interfaces import LogGap
from robyn_server.events.redis.entries import connect, key_of
from robyn_server.events.redis.log import RedisEventLog
from robyn_server.events.redis.notifier import RedisNotifier
from robyn_server.resources.event import END_OF_RUN, START, RunEvent
from tests.redis_server import RedisServer

T, R = "thread", "run"


@pytest.fixture
async def elsewhere(redis: Redis) -> AsyncIterator[RedisEventLog]:
    """The log of another process."""
    log = RedisEventLog(redis, keep_seconds=60, most_entries=200)
    yield log
    await log.close()


async def collect(batches: AsyncIterator[list[RunEvent]]) -> list[RunEvent]:
    async with asyncio.timeout(20):
        return [entry async for batch in batches for entry in batch]


def numbers(entries: list[RunEvent]) -> list[int]:
    return [int(entry.data) for entry in entries if entry.event != END_OF_RUN]


async def test_what_one_process_appends_another_reads_as_it_comes(
    on_redis: RedisEventLog, elsewhere: RedisEventLog
) -> None:
    cursor = await on_redis.tail(T)
    readers = [asyncio.create_task(collect(on_redis.follow(T, cursor, R))) for _ in range(3)]
    others = [asyncio.create_task(collect(on_redis.follow(f"t{n}", START, R))) for n in range(20)]
    for n in range(100):
        await asyncio.sleep(0)
        elsewhere.append(T, R, 1, True, [("values", b"%d" % n)])
    elsewhere.end(T, R, 1, True)
    for entries in await asyncio.gather(*readers):
        assert numbers(entries) == list(range(100))
    for n in range(20):
        elsewhere.end(f"t{n}", R, 1, False)
    assert [len(entries) for entries in await asyncio.gather(*others)] == [1] * 20


async def test_a_reader_of_entries_that_were_dropped_is_told_of_the_gap(
    on_redis: RedisEventLog, elsewhere: RedisEventLog
) -> None:
    elsewhere.append(T, R, 1, True, [("values", b"0")])
    await elsewhere.kept()
    cursor = await on_redis.tail(T)
    for n in range(1_000):
        elsewhere.append(T, R, 1, True, [("values", b"%d" % n)])
    elsewhere.end(T, R, 1, True)
    await elsewhere.kept()
    with pytest.raises(LogGap):
        await collect(on_redis.follow(T, cursor, R))
    assert len(await collect(on_redis.follow(T, START, stored_only=True))) >= 200


async def test_readers_elsewhere_end_with_a_deleted_thread(
    on_redis: RedisEventLog, elsewhere: RedisEventLog
) -> None:
    on_redis.append(T, R, 1, True, [("values", b"0")])
    reading = asyncio.create_task(collect(elsewhere.follow(T, START)))
    await asyncio.sleep(0)
    await on_redis.forget_thread(T)
    assert len(await reading) <= 1
    assert await collect(on_redis.follow(T, START, stored_only=True)) == []


async def test_entries_are_let_go_after_the_end_of_the_run(on_redis: RedisEventLog, redis: Redis) -> None:
    on_redis.append(T, R, 1, True, [("values", b"0")])
    await on_redis.kept()
    (key,) = await redis.keys("*:events:*")
    assert await redis.ttl(key) > 86_400
    on_redis.end(T, R, 1, True)
    await on_redis.kept()
    assert 0 < await redis.ttl(key) <= 60


async def test_kept_and_tail_also_wait_for_what_stands_behind_a_batch_under_way(
    on_redis: RedisEventLog, redis: Redis
) -> None:
    on_redis.append("other", R, 1, True, [("values", b"0")])
    # The writer takes that up; what comes now waits for its turn, and is more than one batch.
    await asyncio.sleep(0)
    on_redis.append(T, R, 1, True, [("values", b"%d" % n) for n in range(1_000)])
    place = await on_redis.tail(T)
    assert await redis.xlen(key_of(T)) == 1_000
    on_redis.append("other", R, 1, True, [("values", b"1")])
    await asyncio.sleep(0)
    on_redis.append(T, R, 1, True, [("values", b"%d" % n) for n in range(1_000)])
    await on_redis.kept()
    assert await redis.xlen(key_of(T)) == 2_000
    assert await on_redis.tail(T) > place


async def test_many_readers_who_come_at_once_wait_for_their_turn(on_redis: RedisEventLog) -> None:
    readers = [asyncio.create_task(collect(on_redis.follow(f"t{n}", START, R))) for n in range(300)]
    assert await asyncio.gather(*(on_redis.tail(f"t{n}") for n in range(300))) == [START] * 300
    for n in range(300):
        on_redis.end(f"t{n}", R, 1, False)
    assert [len(entries) for entries in await asyncio.gather(*readers)] == [1] * 300


@pytest.fixture
def own_server() -> Iterator[RedisServer]:
    """A server that the test may stop."""
    server = RedisServer()
    yield server.start()
    server.end()


async def test_a_restart_of_redis_loses_and_doubles_nothing(own_server: RedisServer) -> None:
    async with connect(own_server.uri) as redis:
        log = RedisEventLog(redis, keep_seconds=60)
        reading = asyncio.create_task(collect(log.follow(T, START, R)))
        for n in range(300):
            log.append(T, R, 1, True, [("values", b"%d" % n)])
            if n % 20 == 0:
                await asyncio.sleep(0.001)
            if n == 150:
                own_server.stop(signal.SIGTERM)
        own_server.start()
        log.end(T, R, 1, True)
        assert numbers(await reading) == list(range(300))
        await log.close()


async def test_hints_reach_other_processes(redis: Redis) -> None:
    here, there = RedisNotifier(redis), RedisNotifier(redis)
    queued, cancelled = asyncio.Event(), asyncio.Queue[str]()
    there.on_run_queued(queued.set)
    there.on_cancel_requested(cancelled.put_nowait)
    async with asyncio.timeout(10):
        while (await redis.pubsub_numsub("robyn_server:queued"))[0][1] < 2:
            pass
        here.run_queued()
        await queued.wait()
        here.cancel_requested("r1")
        assert await cancelled.get() == "r1"
    await here.close()
    await there.close()


async def test_who_says_that_a_run_is_queued_is_told_of_it_once(redis: Redis) -> None:
    notifier = RedisNotifier(redis)
    queued, cancelled = [], asyncio.Queue[str]()
    notifier.on_run_queued(lambda: queued.append(1))
    notifier.on_cancel_requested(cancelled.put_nowait)
    async with asyncio.timeout(10):
        while (await redis.pubsub_numsub("robyn_server:cancelled"))[0][1] < 1:
            pass
        notifier.run_queued()
        notifier.cancel_requested("r1")
        # The second one has been to Redis, and comes after what was said before.
        assert [await cancelled.get(), await cancelled.get()] == ["r1", "r1"]
    assert queued == [1]
    await notifier.close()
