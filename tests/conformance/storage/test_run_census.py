import pytest

from robyn_server.resources.clock import now
from robyn_server.resources.ids import new_id
from robyn_server.resources.run import Census
from tests.conformance.storage.queue_scenes import OVER, Queue

HOUR = 3_600.0


async def test_nothing_waits_and_nothing_runs(queue: Queue) -> None:
    assert await queue.queue.census(now()) == Census()


async def test_what_waits_and_what_runs_is_counted_with_its_workers(queue: Queue) -> None:
    for _ in range(2):
        await queue.add(new_id())
    await queue.claim("here")
    await queue.add(new_id())
    await queue.claim("there")
    await queue.add(new_id())
    await queue.claim("dead", lease=OVER)
    seen = await queue.queue.census(now())
    assert (seen.pending, seen.running, seen.workers) == (0, 4, 2)


async def test_waits_are_those_of_pending_runs(queue: Queue) -> None:
    for hours in (-4, -1, -3, -2, 5):
        await queue.add(new_id(), after_seconds=hours * HOUR)
    seen = await queue.queue.census(now())
    assert seen.pending == 5
    assert seen.longest_wait == pytest.approx(4 * HOUR, abs=20)
    assert seen.median_wait == pytest.approx(2 * HOUR, abs=20)
