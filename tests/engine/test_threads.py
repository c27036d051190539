"""Threads over real storage."""

import asyncio
from datetime import timedelta

import pytest

from robyn_server.errors import Conflict, InvalidRequest, NotFound
from robyn_server.resources.clock import now
from robyn_server.resources.ids import random_id, system_assistant_id
from robyn_server.resources.run import Ending
from robyn_server.resources.thread import ThreadSearch, ThreadTtl
from robyn_server.worker.duties.thread_sweeper import ThreadSweeper

STEPS = system_assistant_id("steps")


async def test_a_taken_id(engine):
    made = await engine.threads.create(metadata={"v": 1, "run_id": "x"})
    assert made.metadata == {"v": 1}
    with pytest.raises(Conflict, match=f"Thread with ID {made.thread_id} already exists"):
        await engine.threads.create(thread_id=made.thread_id)
    again = await engine.threads.create(thread_id=made.thread_id, metadata={"v": 2}, if_exists="do_nothing")
    assert again == made


async def test_update_merges_one_level(engine):
    made = await engine.threads.create(metadata={"a": 1, "deep": {"x": 1, "y": 2}})
    updated = await engine.threads.update(made.thread_id, metadata={"deep": {"x": 3}, "a": None})
    assert updated.metadata == {"a": None, "deep": {"x": 3}}
    assert updated.updated_at > made.updated_at
    with pytest.raises(NotFound, match="^Not Found$"):
        await engine.threads.update(random_id(), metadata={})


async def test_why_a_state_cannot_be_written(engine):
    assert "has no assigned graph ID" in engine.threads.graph_problem(await engine.threads.create())
    unknown = await engine.threads.create(metadata={"graph_id": "zzz"})
    assert engine.threads.graph_problem(unknown).startswith("Graph 'zzz' not found")
    assert engine.threads.graph_problem(await engine.threads.create(metadata={"graph_id": "steps"})) is None


async def test_delete_takes_everything(engine):
    made = await engine.threads.create(metadata={"graph_id": "steps"})
    await engine.states.bulk_update(
        made.thread_id, [{"updates": [{"values": {"log": ["x"]}, "as_node": "__start__"}]}]
    )
    cron = await engine.crons.create(
        {"assistant_id": "steps", "schedule": "@daily"}, thread_id=made.thread_id
    )
    await engine.threads.delete(made.thread_id)
    with pytest.raises(NotFound, match=f"Thread with ID {made.thread_id} not found"):
        await engine.threads.get(made.thread_id)
    with pytest.raises(NotFound):
        await engine.crons.get(cron.cron_id)
    assert (await engine.parts.storage.checkpoints.storage(made.thread_id))["total_bytes"] == 0


async def test_delete_waits_for_running_work_and_takes_what_waits(engine, parts, queue_run):
    made = await engine.threads.create()
    await queue_run(made.thread_id, STEPS)
    [running] = await parts.storage.queue.claim("w", timedelta(seconds=30), {"default": 1})
    await queue_run(made.thread_id, STEPS)
    hints: list[str] = []
    asked = asyncio.Event()
    parts.notifier.on_cancel_requested(lambda run_id: (hints.append(run_id), asked.set()))
    deleting = asyncio.create_task(engine.threads.delete(made.thread_id))
    async with asyncio.timeout(5):
        await asked.wait()
        with pytest.raises(NotFound):
            await engine.threads.get(made.thread_id)
        assert await parts.storage.threads.get(made.thread_id, leaving=True) is not None
        await parts.storage.queue.finish(running, Ending(None))
        await deleting
    assert hints == [running.run_id]
    with pytest.raises(NotFound):
        await engine.threads.get(made.thread_id)


async def test_the_sweeper_finishes_a_delete_that_was_cut_off(engine, parts, queue_run):
    made = await engine.threads.create()
    await queue_run(made.thread_id, STEPS)
    [running] = await parts.storage.queue.claim("w", timedelta(seconds=30), {"default": 1})
    asked = asyncio.Event()
    parts.notifier.on_cancel_requested(lambda run_id: asked.set())
    deleting = asyncio.create_task(engine.threads.delete(made.thread_id))
    async with asyncio.timeout(5):
        await asked.wait()
    deleting.cancel()
    sweeper = ThreadSweeper(parts)
    assert await sweeper.run_once(now()) == 0
    await parts.storage.queue.finish(running, Ending(None))
    assert await sweeper.run_once(now()) == 1
    with pytest.raises(NotFound):
        await engine.threads.get(made.thread_id)


async def test_the_sweeper_clears_away_what_has_expired(engine, parts):
    await engine.threads.create(ttl=ThreadTtl(timedelta(minutes=5)))
    kept = await engine.threads.create(ttl=ThreadTtl(timedelta(minutes=5), "keep_latest"))
    forever = await engine.threads.create()
    assert await ThreadSweeper(parts).run_once(now() + timedelta(minutes=6)) == 2
    left = await engine.threads.search(ThreadSearch(sort_by="created_at", descending=False))
    assert [thread.thread_id for thread in left.items] == [kept.thread_id, forever.thread_id]


async def test_copy_takes_the_state_and_not_the_runs(engine, parts, queue_run):
    made = await engine.threads.create(metadata={"graph_id": "steps", "k": 1})
    await engine.states.update(made.thread_id, {"log": ["x"]}, as_node="one")
    copied = await engine.threads.copy(made.thread_id)
    assert copied.metadata == {"graph_id": "steps", "k": 1}
    assert (copied.status, copied.copied, copied.values) == ("idle", True, None)
    assert (await engine.states.get(copied.thread_id)).values == {"log": ["x"]}
    with pytest.raises(Conflict, match="^Conflict$"):
        await engine.threads.copy(random_id())


async def test_prune(engine):
    first, second = await engine.threads.create(), await engine.threads.create()
    assert await engine.threads.prune([first.thread_id, first.thread_id, random_id()]) == 1
    assert await engine.threads.prune([second.thread_id], "keep_latest") == 1
    assert await engine.threads.get(second.thread_id)


async def test_search_by_ids(engine):
    made = [await engine.threads.create(metadata={"n": n}) for n in range(3)]
    page = await engine.threads.search(ThreadSearch(ids=(made[1].thread_id.upper(),)))
    assert [thread.metadata["n"] for thread in page.items] == [1]
    assert await engine.threads.count(ThreadSearch(metadata={"n": 2})) == 1
    with pytest.raises(InvalidRequest, match="^Invalid thread ID abc$"):
        await engine.threads.search(ThreadSearch(ids=("abc",)))


async def test_foreign_threads_look_missing(acting_for):
    ann, bob = acting_for("ann"), acting_for("bob")
    made = await ann.threads.create(metadata={"owner": "bob"})
    assert made.metadata == {"owner": "ann"}
    for refused in (
        bob.threads.get(made.thread_id),
        bob.threads.update(made.thread_id, metadata={"x": 1}),
        bob.threads.delete(made.thread_id),
        bob.threads.storage(made.thread_id),
        bob.threads.prune([made.thread_id]),
        bob.crons.create({"assistant_id": "steps", "schedule": "@daily"}, thread_id=made.thread_id),
    ):
        with pytest.raises(NotFound):
            await refused
    with pytest.raises(Conflict):
        await bob.threads.copy(made.thread_id)
    assert (await bob.threads.search(ThreadSearch())).items == ()
    assert await ann.threads.count(ThreadSearch()) == 1
    assert (await ann.threads.update(made.thread_id, metadata={"owner": "bob"})).metadata["owner"] == "ann"
