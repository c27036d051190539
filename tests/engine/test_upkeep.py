"""The duties that keep the databases small."""

from dataclasses import replace
from datetime import timedelta

from robyn_server.engine import Engine
from robyn_server.resources.clock import now
from robyn_server.resources.ids import system_assistant_id
from robyn_server.resources.run import Ending
from robyn_server.resources.thread import ThreadTtl
from robyn_server.worker.duties.checkpoint_pruner import CheckpointPruner
from robyn_server.worker.duties.run_sweeper import RunSweeper
from robyn_server.worker.duties.store_sweeper import StoreSweeper

STEPS = system_assistant_id("steps")


async def finished_run(parts, queue_run, thread_id):
    await queue_run(thread_id, STEPS)
    [run] = await parts.storage.queue.claim("w", timedelta(seconds=30), {"default": 1})
    await parts.storage.queue.finish(run, Ending("success"))
    return run


async def test_old_runs_go_and_their_threads_stay(engine, parts, queue_run):
    thread = await engine.threads.create(metadata={"graph_id": "steps"})
    await engine.states.update(thread.thread_id, {"log": ["x"]}, as_node="one")
    run = await finished_run(parts, queue_run, thread.thread_id)
    waiting = await queue_run(thread.thread_id, STEPS)
    sweeper = RunSweeper(parts, timedelta(days=1))
    assert await sweeper.run_once(now() + timedelta(hours=23)) == 0
    assert await sweeper.run_once(now() + timedelta(hours=25)) == 1
    assert await parts.storage.runs.get(run.run_id) is None
    assert await parts.storage.runs.get(waiting.run_id) is not None
    assert (await engine.states.get(thread.thread_id)).values == {"log": ["x"]}


async def test_history_is_cut_when_the_last_run_has_ended(engine, parts, queue_run):
    thread = await engine.threads.create(metadata={"graph_id": "steps"})
    for word in "abcd":
        await engine.states.update(thread.thread_id, {"log": [word]}, as_node="one")

    async def length():
        return len(await engine.states.history(thread.thread_id, limit=99))

    pruner = CheckpointPruner(parts, 2)
    before = await length()
    run = await finished_run(parts, queue_run, thread.thread_id)
    waiting = await queue_run(thread.thread_id, STEPS)
    pruner.finished(run, Ending("success"), now())
    assert await pruner.run_once(now()) == 0 and await length() == before
    await parts.storage.queue.cancel(waiting, "interrupt", "")
    pruner.finished(waiting, Ending("interrupted"), now())
    assert await pruner.run_once(now()) == 1 and await length() == 2
    assert await pruner.run_once(now()) == 0
    assert (await engine.states.get(thread.thread_id)).values == {"log": ["a", "b", "c", "d"]}


async def test_what_is_over_leaves_the_store(engine, parts):
    await engine.store.put(["a"], "short", {"v": 1}, ttl=1e-9)
    await engine.store.put(["a"], "long", {"v": 1}, ttl=60)
    assert await StoreSweeper(parts).run_once(now()) == 1
    assert [item.key for item in await engine.store.search(["a"])] == ["long"]


async def test_the_operators_ttl_is_that_of_threads_whose_creator_says_nothing(engine, parts):
    settings = replace(parts.settings, thread_ttl={"default_ttl": 5, "strategy": "keep_latest"})
    engine = Engine(replace(parts, settings=settings))
    usual = ThreadTtl(timedelta(minutes=5), "keep_latest")
    own = ThreadTtl(timedelta(minutes=9))
    assert (await engine.threads.create()).ttl == usual
    made = await engine.threads.create(ttl=own)
    assert made.ttl == own
    await engine.threads.update(made.thread_id, ttl=usual)
    assert (await engine.threads.get(made.thread_id)).ttl == usual
    new = "00000000-0000-7000-8000-000000000001"
    await engine.runs.create(new, {"assistant_id": "steps", "if_not_exists": "create"})
    assert (await engine.threads.get(new)).ttl == usual
