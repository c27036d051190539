"""Runs of one assistant across threads, on a real database."""

import pytest

from robyn_server.resources.metadata_filter import EVERYTHING, parse_filter
from robyn_server.resources.run import Ending, ThreadForRun
from robyn_server.resources.thread import StateOutcome
from robyn_server.storage import runs
from tests.conformance.storage.queue_scenes import Queue, new_run

ASSISTANT = "11111111-1111-4111-8111-111111111111"
OTHER = "33333333-3333-4333-8333-333333333333"
WAITING = Ending("success", state=StateOutcome(b"{}", {"t": [{"id": "i", "value": 1}]}, has_next=True))


async def test_newest_first_on_one_thread_or_all(queue: Queue) -> None:
    first, second = await queue.add("a"), await queue.add("b")
    await queue.add("a", assistant_id=OTHER)
    third = await queue.add("a")
    found = await queue.rows.of_assistant(ASSISTANT, None, EVERYTHING, 10)
    assert found == [(third, False), (second, False), (first, False)]
    assert await queue.rows.of_assistant(ASSISTANT, "a", EVERYTHING, 1) == [(third, False)]
    assert await queue.rows.of_assistant(ASSISTANT, "c", EVERYTHING, 10) == []


async def test_active_runs_of_an_assistant_on_whatever_threads(queue: Queue) -> None:
    await queue.add("a")
    await queue.finish(await queue.claim_one())
    running = await queue.add("b")
    await queue.claim_one()
    pending = await queue.add("c")
    other = await queue.add("d", assistant_id=OTHER)
    assert [run.run_id for run in await queue.rows.active_of(ASSISTANT)] == [running.run_id, pending.run_id]
    assert [run.run_id for run in await queue.rows.active_of(OTHER)] == [other.run_id]


async def test_only_the_newest_run_of_a_thread_waits_for_an_answer(queue: Queue) -> None:
    run = await queue.add("a")
    await queue.finish(await queue.claim_one(), WAITING)
    assert [waits for _, waits in await queue.rows.of_assistant(ASSISTANT, None, EVERYTHING, 10)] == [True]
    await queue.add("a")
    await queue.finish(await queue.claim_one(), WAITING)
    found = await queue.rows.of_assistant(ASSISTANT, "a", EVERYTHING, 10)
    assert [waits for _, waits in found] == [True, False] and found[1][0].run_id == run.run_id


async def test_runs_on_foreign_threads_are_passed_over(queue: Queue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "PORTION", 2)
    for number in range(7):
        owner = ThreadForRun(create=True, metadata={"owner": "ada" if number % 3 else "bob"}, config={})
        await queue.queue.create(new_run(f"t{number}"), owner)
    visible = parse_filter({"owner": "ada"})
    found = await queue.rows.of_assistant(ASSISTANT, None, visible, 10)
    assert [run.thread_id for run, _ in found] == ["t5", "t4", "t2", "t1"]
    assert len(await queue.rows.of_assistant(ASSISTANT, None, visible, 3)) == 3
