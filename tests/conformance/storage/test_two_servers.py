"""Two servers on one PostgreSQL, at the same moment on the same rows."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import empty_checkpoint
from langgraph.checkpoint.base import id as generator

from robyn_server.errors import Unavailable
from robyn_server.resources.ids import new_id
from robyn_server.settings import Settings
from robyn_server.storage.postgres import PostgresStorage, open_storage
from robyn_server.storage.run_create import stamp_graph
from tests.conformance.storage.queue_scenes import Queue
from tests.postgres_server import PostgresServer


@pytest.fixture
async def two(postgres: PostgresServer) -> AsyncIterator[tuple[PostgresStorage, PostgresStorage]]:
    """Two servers' storage on an empty database."""
    uri = postgres.database("two")
    here, there = (
        await open_storage(Settings(database_uri=uri)),
        await open_storage(Settings(database_uri=uri)),
    )
    yield here, there
    await here.close()
    await there.close()


async def test_a_thread_is_held_against_other_servers(two: tuple[PostgresStorage, PostgresStorage]) -> None:
    inside, most = 0, 0
    thread_id = new_id()

    async def change(storage: PostgresStorage) -> None:
        nonlocal inside, most
        async with storage.thread_locks.of(thread_id):
            inside += 1
            most = max(most, inside)
            await storage.ready()
            inside -= 1

    async with asyncio.timeout(30):
        await asyncio.gather(*(change(storage) for storage in two * 10))
    assert most == 1
    async with two[0].thread_locks.of(thread_id), two[1].thread_locks.of(new_id()):
        pass


async def test_who_stops_waiting_for_a_thread_holds_nothing(
    two: tuple[PostgresStorage, PostgresStorage],
) -> None:
    here, there = two
    thread_id = new_id()

    async def hold() -> None:
        async with there.thread_locks.of(thread_id):
            pass

    async with here.thread_locks.of(thread_id):
        waiting = asyncio.create_task(hold())
        await asyncio.wait([waiting], timeout=0.1)
        waiting.cancel()
        await asyncio.wait([waiting])
    async with asyncio.timeout(10), here.thread_locks.of(thread_id):
        pass


async def test_no_run_is_queued_while_another_server_changes_the_thread(
    two: tuple[PostgresStorage, PostgresStorage],
) -> None:
    here, there = two
    queue = Queue(there)
    thread_id = new_id()
    await queue.add(thread_id)
    async with here.thread_locks.of(thread_id):
        queueing = asyncio.create_task(queue.add(thread_id))
        done, _ = await asyncio.wait([queueing], timeout=0.3)
        assert not done
        assert len(await here.runs.active(thread_id)) == 1
    await queueing
    async with here.thread_locks.of(thread_id):
        with pytest.raises(Unavailable):
            await queue.add(thread_id)


async def test_a_change_of_metadata_outlives_a_stamp(two: tuple[PostgresStorage, PostgresStorage]) -> None:
    """A thread that is given its run's graph, while somebody else changes what else is written there."""
    here, there = two
    queue = Queue(here)
    for number in range(20):
        thread_id = f"thread{number}"
        await queue.add(thread_id)
        (run,) = await queue.claim("w")
        await here.threads.patch(thread_id, {"graph_id": "another"})
        await asyncio.gather(
            here._db.write(lambda run=run: stamp_graph(here._db.dialect, run)),
            *(there.threads.patch(thread_id, {f"n{n}": n}) for n in range(4)),
        )
        thread = await here.threads.get(thread_id)
        assert thread is not None
        assert thread.metadata["graph_id"] == run.graph_id
        assert [thread.metadata[f"n{n}"] for n in range(4)] == [0, 1, 2, 3]


async def test_new_checkpoints_are_newer_whatever_the_clock_says(
    two: tuple[PostgresStorage, PostgresStorage], monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there = two
    config: RunnableConfig = {"configurable": {"thread_id": "t", "checkpoint_ns": ""}}
    empty_checkpoint()
    real = generator._last_v6_timestamp
    assert real is not None
    monkeypatch.setattr(generator, "_last_v6_timestamp", real + 600 * 10**7)
    ahead = empty_checkpoint()
    await here.checkpoints.saver().aput(config, ahead, {"step": 1}, {})
    monkeypatch.setattr(generator, "_last_v6_timestamp", real)
    assert empty_checkpoint()["id"] < ahead["id"]
    saver = there.checkpoints.saver()
    await saver.aget_tuple(config)
    assert empty_checkpoint()["id"] > ahead["id"]
    monkeypatch.setattr(generator, "_last_v6_timestamp", real)
    forked: RunnableConfig = {
        "configurable": {**config["configurable"], "checkpoint_id": empty_checkpoint()["id"], "run_id": "r"}
    }
    await saver.aget_tuple(forked)
    assert empty_checkpoint()["id"] > ahead["id"]
