import asyncio
from datetime import timedelta
from itertools import product

import pytest

from robyn_server.resources.clock import now
from robyn_server.resources.ids import new_id
from robyn_server.resources.metadata_filter import EVERYTHING, MetadataFilter
from robyn_server.resources.run import EndedRun, Ending, Held, RunSearch
from robyn_server.resources.run_lifecycle import CancelAction, RunStatus, thread_status
from robyn_server.resources.thread import NewThread, StateOutcome, ThreadTtl
from robyn_server.storage.run_endings import WORKER_LOST
from tests.conformance.storage.queue_scenes import LEASE, OVER, Queue

A, B, C, D = (f"{letter * 8}-2222-4222-8222-222222222222" for letter in "abcd")
MISTAKE = {"error": "ValueError", "message": "boom"}
CANCELLED_BY_TEST = {"error": "UserInterrupt", "message": "test"}
NOW = timedelta(0)


async def test_claim_takes_the_oldest_of_each_thread(queue: Queue) -> None:
    a1, b1, a2 = await queue.add(A), await queue.add(B), await queue.add(A)
    claimed = await queue.claim()

    assert [run.run_id for run in claimed] == [a1.run_id, b1.run_id]
    for run in claimed:
        assert (run.status, run.attempt, run.worker_id) == ("running", 1, "w") and run.started_at
        assert run == await queue.rows.get(run.run_id)
    assert await queue.claim() == []
    await queue.finish(claimed[0])
    assert (await queue.claim_one()).run_id == a2.run_id


async def test_claim_takes_no_more_than_is_free_in_a_lane(queue: Queue) -> None:
    slow = [await queue.add(new_id(), lane="slow") for _ in range(3)]
    quick = [await queue.add(new_id()) for _ in range(3)]
    claimed = await queue.claim(free={"slow": 1, "default": 2, "none": 4})
    assert [run.run_id for run in claimed] == [slow[0].run_id, quick[0].run_id, quick[1].run_id]
    assert await queue.claim(free={"slow": 0}) == []


async def test_priority_orders_threads_and_creation_orders_a_thread(queue: Queue) -> None:
    a1 = await queue.add(A)
    await queue.add(A, priority=9)
    b1, c1 = await queue.add(B, priority=1), await queue.add(C, priority=-1)
    claimed = [(await queue.claim(free={"default": 1}))[0].run_id for _ in range(3)]
    assert claimed == [b1.run_id, a1.run_id, c1.run_id]


async def test_lanes_do_not_break_the_order_of_a_thread(queue: Queue) -> None:
    await queue.add(A, lane="slow")
    await queue.add(A)
    assert await queue.claim(free={"default": 5}) == []
    assert len(await queue.claim(free={"default": 5, "slow": 5})) == 1


async def test_a_future_run_blocks_nobody(queue: Queue) -> None:
    later = await queue.add(A, after_seconds=50)
    soon = await queue.add(A)
    assert await queue.queue.next_due() == soon.run_at
    assert (await queue.claim_one()).run_id == soon.run_id
    assert await queue.queue.next_due() is None, "the thread is taken, so nothing can become due on it"
    other = await queue.add(B, after_seconds=60)
    assert await queue.queue.next_due() == other.run_at
    assert later.run_at < other.run_at


async def test_a_heartbeat_tells_what_is_held_and_wanted(queue: Queue) -> None:
    await queue.add(A)
    await queue.add(B)
    a1, b1 = await queue.claim("me", OVER)
    assert {run.run_id for run in await queue.queue.expired(now())} == {a1.run_id, b1.run_id}
    await queue.queue.cancel(a1, "rollback", "because")
    ids = [a1.run_id, b1.run_id]
    assert [one.run_id for one in await queue.queue.heartbeat("me", OVER, ids[:1])] == ids[:1]
    held = await queue.queue.heartbeat("me", LEASE, ids)

    assert set(held) == {Held(a1.run_id, 1, "rollback", "because"), Held(b1.run_id, 1, None, None)}
    assert await queue.queue.expired(now()) == []
    await queue.finish(b1)
    assert [one.run_id for one in await queue.queue.heartbeat("me", LEASE, ids)] == [a1.run_id]
    assert await queue.queue.heartbeat("other", LEASE, ids) == []


async def test_finish_writes_run_and_thread(queue: Queue) -> None:
    await queue.add(A, secrets=b"s")
    run = await queue.claim_one()
    state = StateOutcome(b'{"x":1}', {"task": [{"id": "i", "value": 2}]}, has_next=True)
    assert await queue.finish(run, Ending("success", state=state))

    ended = await queue.rows.get(run.run_id)
    assert ended and (ended.status, ended.secrets, ended.worker_id, ended.attempt) == (
        "success",
        None,
        None,
        1,
    )
    assert ended.finished_at
    thread = await queue.thread(A)
    assert (thread.status, thread.values, thread.settled) == ("interrupted", b'{"x":1}', True)
    assert thread.interrupts == state.interrupts and thread.error is None
    assert thread.state_updated_at == ended.finished_at

    await queue.add(A)
    failed = Ending("error", MISTAKE, MISTAKE, StateOutcome(None, {}, has_next=True))
    assert await queue.finish(await queue.claim_one(), failed)
    thread = await queue.thread(A)
    assert (thread.status, thread.values, thread.interrupts) == ("error", b'{"x":1}', {})
    assert thread.error == MISTAKE

    await queue.add(A)
    await queue.finish(await queue.claim_one())
    thread = await queue.thread(A)
    assert (thread.status, thread.error) == ("interrupted", None), "nothing was said of the state"


async def test_an_ended_run_never_changes(queue: Queue) -> None:
    run = await queue.add(A)
    claimed = await queue.claim_one()
    assert await queue.finish(claimed, Ending("error", MISTAKE, MISTAKE))
    before = await queue.rows.get(run.run_id)

    assert not await queue.finish(claimed)
    assert not await queue.finish(claimed, Ending(None))
    assert not await queue.queue.retry(claimed, NOW, MISTAKE, 9)
    assert not await queue.queue.hand_back(claimed)
    assert await queue.cancel(claimed) == await queue.cancel(claimed, "rollback") == "finished"
    assert await queue.recover(claimed) is None
    assert await queue.queue.finish_rollback(claimed, Ending(None)) is None
    assert await queue.queue.release_all() == 0
    assert await queue.rows.get(run.run_id) == before


async def test_a_worker_that_lost_its_run_writes_nothing(queue: Queue) -> None:
    await queue.add(A)
    zombie = await queue.claim_one("w", OVER)
    assert await queue.recover(zombie) is None
    again = await queue.claim_one("w")
    assert (again.run_id, again.attempt, again.failures) == (zombie.run_id, 2, 1)

    assert not await queue.finish(zombie) and not await queue.finish(zombie, Ending(None))
    assert not await queue.queue.retry(zombie, NOW, MISTAKE, 9)
    assert not await queue.queue.hand_back(zombie)
    assert await queue.rows.get(again.run_id) == again
    assert await queue.finish(again)


async def test_retry_spends_the_budget(queue: Queue) -> None:
    await queue.add(A)
    run = await queue.claim_one()
    assert await queue.queue.retry(run, timedelta(seconds=40), MISTAKE, 2)
    waiting = await queue.rows.get(run.run_id)
    assert waiting and (waiting.status, waiting.attempt, waiting.failures) == ("pending", 1, 1)
    assert waiting.run_at > now() + timedelta(seconds=30) and waiting.worker_id is None
    assert (await queue.thread(A)).status == "busy"

    await queue.add(B)
    other = await queue.claim_one()
    for failures in (1, 2):
        assert await queue.queue.retry(other, NOW, MISTAKE, 2)
        other = await queue.claim_one()
        assert (other.attempt, other.failures) == (failures + 1, failures)
    assert not await queue.queue.retry(other, NOW, MISTAKE, 2), "two retries are spent"
    assert await queue.rows.get(other.run_id) == other
    assert await queue.finish(other, Ending("error", MISTAKE, MISTAKE))


async def test_a_handed_back_run_keeps_its_place_and_its_budget(queue: Queue) -> None:
    first, _ = await queue.add(A), await queue.add(A)
    run = await queue.claim_one()
    assert await queue.queue.hand_back(run)
    again = await queue.claim_one("other")
    assert again.run_id == first.run_id
    assert (again.attempt, again.failures, again.run_at) == (2, 0, first.run_at)
    assert again.started_at == run.started_at


async def test_a_run_that_is_asked_to_stop_is_not_handed_back_but_left_to_the_sweeper(queue: Queue) -> None:
    await queue.add(A)
    run = await queue.claim_one()
    await queue.cancel(run)
    assert not await queue.queue.retry(run, NOW, MISTAKE, 9)
    assert await queue.queue.hand_back(run)
    (left,) = await queue.queue.expired(now())
    assert await queue.recover(left) == EndedRun(run.run_id, A, "interrupted", CANCELLED_BY_TEST)
    assert (await queue.thread(A)).status == "idle"


async def test_cancel_of_a_pending_run_ends_it(queue: Queue) -> None:
    for action, left in (("interrupt", "interrupted"), ("rollback", None)):
        run = await queue.add(A)
        outcome, ended = await queue.queue.cancel(run, action, "test")  # type: ignore[arg-type]
        assert outcome == "ended" and ended == EndedRun(run.run_id, A, left)  # type: ignore[arg-type]
        row = await queue.rows.get(run.run_id)
        assert (row.status if row else None) == left
        assert (await queue.thread(A)).status == "idle"
    assert await queue.cancel(run) == "missing"


async def test_cancelling_a_pending_run_leaves_the_thread_as_the_last_ending_left_it(queue: Queue) -> None:
    await queue.add(A)
    await queue.finish(await queue.claim_one(), Ending("timeout", MISTAKE, MISTAKE))
    assert (await queue.thread(A)).status == "error"
    run = await queue.add(A)
    assert (await queue.thread(A)).status == "busy"
    before = await queue.thread(A)
    await queue.cancel(run)
    after = await queue.thread(A)
    assert (after.status, after.error, after.state_updated_at) == ("error", MISTAKE, before.state_updated_at)


async def test_cancel_of_a_running_run_asks_it_to_stop(queue: Queue) -> None:
    await queue.add(A)
    run = await queue.claim_one()
    assert await queue.cancel(run) == "requested"
    assert await queue.cancel(run) == "requested"
    assert await queue.cancel(run, "rollback") == "requested"
    assert await queue.cancel(run, "interrupt") == "requested"
    (held,) = await queue.queue.heartbeat("w", LEASE, [run.run_id])
    assert held.cancel_action == "rollback", "a rollback is not taken back"
    assert (await queue.thread(A)).status == "busy"
    assert await queue.finish(run, Ending(None, error=MISTAKE))
    assert (await queue.thread(A)).status == "idle" and (await queue.thread(A)).error == MISTAKE


async def test_a_run_without_a_living_worker_is_interrupted_at_once(queue: Queue) -> None:
    await queue.add(A)
    run = await queue.claim_one("dead", OVER)
    outcome, ended = await queue.queue.cancel(run, "interrupt", "test")
    assert (outcome, ended) == ("ended", EndedRun(run.run_id, A, "interrupted", CANCELLED_BY_TEST))
    assert (await queue.thread(A)).error == {"error": "UserInterrupt", "message": "test"}
    assert not await queue.finish(run)


async def test_a_rollback_that_comes_while_a_worker_finishes_is_carried_out(queue: Queue) -> None:
    await queue.add(A)
    run = await queue.claim_one()
    await queue.cancel(run, "rollback")
    assert await queue.rows.get(run.run_id) is None
    assert not await queue.finish(run), "it must not become a success"
    assert await queue.queue.heartbeat("w", LEASE, [run.run_id]) == []
    (left,) = await queue.queue.expired(now())
    assert await queue.queue.finish_rollback(left, Ending(None)) == EndedRun(run.run_id, A, None)
    assert (await queue.thread(A)).status == "idle"


@pytest.mark.parametrize("action", [None, "interrupt", "rollback"])
async def test_recover_settles_a_run_of_a_dead_worker(queue: Queue, action: CancelAction | None) -> None:
    await queue.add(A)
    run = await queue.claim_one("dead", LEASE)
    if action:
        await queue.cancel(run, action)
    assert await queue.recover(run) is None and await queue.queue.expired(now()) == [], "it is alive"
    assert await queue.queue.release_all() == 1
    (lost,) = await queue.queue.expired(now())
    settled = await queue.recover(lost)
    if action == "interrupt":
        assert settled == EndedRun(run.run_id, A, "interrupted", CANCELLED_BY_TEST)
    elif action == "rollback":
        assert settled is None and len(await queue.queue.expired(now())) == 1
        assert await queue.queue.finish_rollback(lost, Ending(None)) == EndedRun(run.run_id, A, None)
    else:
        assert settled is None
        assert (await queue.claim_one()).failures == 1
    assert await queue.recover(lost) is None


async def test_recover_ends_a_run_whose_budget_is_spent(queue: Queue) -> None:
    await queue.add(A, secrets=b"s")
    run = await queue.claim_one("dead", OVER)
    assert await queue.recover(run, most=0) == EndedRun(run.run_id, A, "error", WORKER_LOST)
    row, thread = await queue.rows.get(run.run_id), await queue.thread(A)
    assert row and row.error and row.secrets is None
    assert thread.status == "error" and thread.error == row.error and thread.settled


async def test_statuses_in_sql_are_those_in_python(queue: Queue) -> None:
    endings: tuple[RunStatus | None, ...] = ("success", "error", "timeout", "interrupted", None)
    for ending, has_next, then in product(endings, (False, True), ("nothing", "pending", "running")):
        thread_id = new_id()
        await queue.add(thread_id)
        if then != "nothing":
            await queue.add(thread_id)
        run = await queue.claim_one()
        end = Ending(ending, state=StateOutcome(None, {}, has_next))
        assert await queue.finish(run, end)
        if then == "running":
            await queue.claim_one()
        expected = thread_status(active_runs=then != "nothing", failed=end.failed, has_next=has_next)
        assert (await queue.thread(thread_id)).status == expected, (ending, has_next, then)
        for left in await queue.rows.active(thread_id):
            await queue.cancel(left)
            await queue.finish(left, Ending("interrupted"))


async def test_a_ttl_counts_from_the_last_use(queue: Queue) -> None:
    await queue.storage.threads.create(NewThread(A, ttl=ThreadTtl(timedelta(hours=1))))
    await queue.storage.threads.rest(A)
    await queue.add(A)
    created = (await queue.thread(A)).expires_at
    assert created and created > now() + timedelta(minutes=59)
    await queue.finish(await queue.claim_one())
    finished = (await queue.thread(A)).expires_at
    assert finished and finished > created


async def test_reading_runs(queue: Queue) -> None:
    runs = [await queue.add(A) for _ in range(4)]
    running = await queue.claim_one()
    await queue.cancel(runs[1])
    newest_first = [run.run_id for run in reversed(runs)]

    found = await queue.rows.search(RunSearch(A, limit=3, offset=1))
    assert [run.run_id for run in found] == newest_first[1:]
    assert [run.run_id for run in await queue.rows.search(RunSearch(A, status="interrupted"))] == [
        runs[1].run_id
    ]
    assert [run.run_id for run in await queue.rows.active(A)] == [
        runs[0].run_id,
        runs[2].run_id,
        runs[3].run_id,
    ]
    latest = await queue.rows.latest(A)
    assert latest and latest.run_id == runs[3].run_id and await queue.rows.latest(B) is None
    assert await queue.rows.get(runs[0].run_id, A) and await queue.rows.get(runs[0].run_id, B) is None

    await queue.cancel(running, "rollback")
    assert await queue.rows.get(running.run_id) is None
    assert running.run_id not in [run.run_id for run in await queue.rows.search(RunSearch(A))]
    assert running.run_id in [run.run_id for run in await queue.rows.active(A)]


async def test_deleting_runs(queue: Queue) -> None:
    done, pending = await queue.add(A), await queue.add(A)
    await queue.claim_one()
    assert not await queue.rows.delete(done.run_id), "it is running"
    assert not await queue.rows.delete(pending.run_id), "it is pending"
    await queue.queue.release_all()
    await queue.recover(done, most=0)
    assert await queue.rows.delete_finished(now() - timedelta(hours=1), 10) == 0
    assert await queue.rows.delete(done.run_id) and not await queue.rows.delete(done.run_id)

    await queue.cancel(pending)
    assert await queue.rows.delete_finished(now(), 10) == 1
    assert await queue.rows.search(RunSearch(A)) == []


async def test_matching_runs_for_a_bulk_cancel(queue: Queue) -> None:
    for thread_id, owner in ((A, "ada"), (B, "bob")):
        await queue.storage.threads.create(NewThread(thread_id, metadata={"owner": owner}))
    a1, a2, b1 = await queue.add(A), await queue.add(A), await queue.add(B)
    await queue.claim(free={"default": 1})
    ada = MetadataFilter({"owner": "ada"})

    async def ids(*arguments: object) -> list[str]:
        return [run.run_id for run in await queue.rows.matching(*arguments)]  # type: ignore[arg-type]

    assert await ids("pending", None, None, EVERYTHING) == [a2.run_id, b1.run_id]
    assert await ids("running", None, None, EVERYTHING) == [a1.run_id]
    assert await ids("all", None, None, ada) == [a1.run_id, a2.run_id]
    assert await ids("all", None, None, EVERYTHING) == [a1.run_id, a2.run_id, b1.run_id]
    assert await ids(None, A, [a2.run_id, b1.run_id], EVERYTHING) == [a2.run_id]
    assert await ids(None, A, [a2.run_id], MetadataFilter({"owner": "bob"})) == []
    assert await ids(None, A, [], EVERYTHING) == []
    assert await ids(None, A, [new_id()] * 1200 + [a1.run_id], EVERYTHING) == [a1.run_id]


async def test_many_at_once_claim_each_run_once(queue: Queue) -> None:
    threads = [new_id() for _ in range(30)]
    await asyncio.gather(*(queue.add(thread_id) for thread_id in threads for _ in range(2)))
    claims = await asyncio.gather(*(queue.claim(f"w{n}", free={"default": 3}) for n in range(20)))
    claimed = [run for claim in claims for run in claim]
    assert len(claimed) == len({run.run_id for run in claimed}) == 30
    assert {run.thread_id for run in claimed} == set(threads)
