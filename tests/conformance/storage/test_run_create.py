from dataclasses import replace
from datetime import timedelta

import pytest

from robyn_server.errors import Conflict, NotFound, TooMany
from robyn_server.resources.clock import now
from robyn_server.resources.ids import new_id
from robyn_server.resources.metadata_filter import MetadataFilter, parse_filter
from robyn_server.resources.run import EndedRun, Ending, ThreadForRun
from robyn_server.resources.thread import NewThread, ThreadSearch
from tests.conformance.storage.queue_scenes import HERE, Queue, new_run

MISSING = ThreadForRun(create=False, metadata={}, config={})
T = "22222222-2222-4222-8222-222222222222"


async def test_a_created_run_reads_back_as_it_was_answered(queue: Queue) -> None:
    scheduled = now()
    new = new_run(
        T, resumable=True, temporary=True, webhook="http://x", lane="l", priority=-3, secrets=b"s", ev_from="5-1",
        cron_id=new_id(), scheduled_for=scheduled,
    )  # fmt: skip
    queued = await queue.queue.create(new, HERE)

    assert queued.ended == () and queued.cancelling == ()
    assert await queue.rows.get(new.run_id) == queued.run
    assert queued.run.status == "pending" and queued.run.attempt == 0 and queued.run.secrets == b"s"
    assert abs(queued.run.run_at - scheduled) < timedelta(seconds=5)


async def test_a_missing_thread_is_created_with_its_stamps(queue: Queue) -> None:
    thread = ThreadForRun(create=True, metadata={"owner": "ada"}, config={"tags": ["a"]})
    run = (await queue.queue.create(new_run(T), thread)).run

    made = await queue.thread(T)
    stamps = {"graph_id": "echo", "assistant_id": run.assistant_id}
    assert made.metadata == {"owner": "ada", **stamps}
    assert (made.status, made.settled, made.state_updated_at) == ("busy", False, None)
    assert made.config == {"tags": ["a"]} and made.values is None and made.interrupts == {}
    found = await queue.storage.threads.search(ThreadSearch(metadata=stamps))
    assert [thread.thread_id for thread in found.items] == [T]


async def test_a_missing_thread_is_an_error_when_it_is_not_to_be_created(queue: Queue) -> None:
    with pytest.raises(NotFound, match=f"Thread with ID {T} not found"):
        await queue.queue.create(new_run(T), MISSING)


async def test_a_thread_that_is_not_visible_looks_missing(queue: Queue) -> None:
    await queue.storage.threads.create(NewThread(T, metadata={"owner": "ada"}))
    for visible in (MetadataFilter({"owner": "bob"}), parse_filter({"owner": {"$eq": "bob"}})):
        for thread in (MISSING, HERE):
            with pytest.raises(NotFound):
                await queue.queue.create(new_run(T), thread, visible)
    assert (await queue.thread(T)).status == "idle"
    await queue.queue.create(new_run(T), MISSING, MetadataFilter({"owner": "ada"}))


async def test_only_a_thread_that_is_not_busy_is_stamped(queue: Queue) -> None:
    await queue.storage.threads.create(NewThread(T, metadata={"owner": "ada"}))
    config = {"tags": ["a"], "recursion_limit": 5}
    await queue.queue.create(new_run(T), replace(MISSING, config=config))
    await queue.queue.create(new_run(T, graph_id="other"), replace(MISSING, config={"tags": ["b"]}))

    thread = await queue.thread(T)
    assert thread.metadata["graph_id"] == "echo" and thread.metadata["owner"] == "ada"
    assert thread.config == config

    for _ in range(2):
        await queue.finish(await queue.claim_one())
    await queue.queue.create(new_run(T, graph_id="other"), replace(MISSING, config={"tags": ["b"]}))
    thread = await queue.thread(T)
    assert thread.metadata["graph_id"] == "other" and thread.config == {"tags": ["b"], "recursion_limit": 5}
    assert not (await queue.storage.threads.search(ThreadSearch(metadata={"graph_id": "echo"}))).items


async def test_reject_refuses_a_busy_thread_and_changes_nothing(queue: Queue) -> None:
    first = await queue.add(T, multitask_strategy="reject")
    with pytest.raises(Conflict, match="Thread is already running a task. Wait for it to finish"):
        await queue.add(T, multitask_strategy="reject")
    await queue.claim_one()
    with pytest.raises(Conflict):
        await queue.add(T, multitask_strategy="reject")
    assert [run.run_id for run in await queue.rows.active(T)] == [first.run_id]


async def test_enqueue_is_limited(queue: Queue) -> None:
    running = await queue.add(T)
    await queue.claim_one()
    runs = [await queue.add(T) for _ in range(5)]
    with pytest.raises(TooMany):
        await queue.add(T)
    assert await queue.rows.active(T) == [await queue.rows.get(running.run_id), *runs]


async def test_interrupt_ends_what_is_pending_and_stops_what_runs(queue: Queue) -> None:
    await queue.add(T)
    running = await queue.claim_one()
    pending = [await queue.add(T, secrets=b"s") for _ in range(2)]
    queued = await queue.create(T, multitask_strategy="interrupt")

    assert set(queued.ended) == {EndedRun(run.run_id, T, "interrupted") for run in pending}
    assert queued.cancelling == (running.run_id,)
    ended = await queue.rows.get(pending[0].run_id)
    assert ended and ended.status == "interrupted" and ended.finished_at and ended.secrets is None
    stopping = await queue.rows.get(running.run_id)
    assert stopping and stopping.status == "running" and stopping.cancel_action == "interrupt"
    assert await queue.claim() == []


async def test_rollback_deletes_what_is_pending_and_hides_what_runs(queue: Queue) -> None:
    await queue.add(T)
    running = await queue.claim_one()
    pending = await queue.add(T)
    queued = await queue.create(T, multitask_strategy="rollback")

    assert queued.ended == (EndedRun(pending.run_id, T, None),)
    assert queued.cancelling == (running.run_id,)
    assert await queue.rows.get(pending.run_id) is None and await queue.rows.get(running.run_id) is None
    assert await queue.claim() == [], "nothing starts before the old run has stopped"
    assert await queue.finish(running, Ending(None))
    assert (await queue.claim_one()).run_id == queued.run.run_id


async def test_rolling_back_a_pending_run_that_has_left_checkpoints_waits_for_the_sweeper(
    queue: Queue,
) -> None:
    await queue.add(T)
    first = await queue.claim_one()
    assert await queue.queue.hand_back(first)
    queued = await queue.create(T, multitask_strategy="rollback")

    assert queued.ended == () and queued.cancelling == (first.run_id,)
    assert await queue.rows.get(first.run_id) is None
    assert await queue.claim() == [], "its checkpoints are still there"
    assert await queue.queue.next_due() is None
    (waiting,) = await queue.queue.expired(now())
    assert waiting.run_id == first.run_id and waiting.cancel_action == "rollback"
    assert await queue.recover(waiting) is None
    assert await queue.queue.finish_rollback(waiting, Ending(None)) == EndedRun(first.run_id, T, None)
    assert await queue.queue.finish_rollback(waiting, Ending(None)) is None
    assert (await queue.claim_one()).run_id == queued.run.run_id


async def test_a_run_is_created_once(queue: Queue) -> None:
    cron_id, moment = new_id(), now()
    run = await queue.add(T, cron_id=cron_id, scheduled_for=moment)
    with pytest.raises(Conflict):
        await queue.add(T, run_id=run.run_id)
    with pytest.raises(Conflict):
        await queue.add("33333333-3333-4333-8333-333333333333", cron_id=cron_id, scheduled_for=moment)
    assert await queue.storage.threads.get("33333333-3333-4333-8333-333333333333") is None
    assert len(await queue.rows.active(T)) == 1


async def test_a_delayed_run_counts_as_created_when_it_is_due(queue: Queue) -> None:
    run = await queue.add(T, after_seconds=100)
    assert run.created_at == run.run_at > now() + timedelta(seconds=90) and run.updated_at < now()
    assert (await queue.thread(T)).status == "busy"
    assert await queue.claim() == []
    assert await queue.queue.next_due() == run.run_at
