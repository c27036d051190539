"""Whatever is done to runs in every status: what changes is the table, all of it and nothing else."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from typing import Any, TypeAlias

from robyn_server.resources.ids import new_id
from robyn_server.resources.run import Ending, Run
from robyn_server.resources.run_lifecycle import TERMINAL, TRANSITIONS, RunStatus
from tests.conformance.storage.queue_scenes import OVER, Queue

MISTAKE = {"error": "ValueError", "message": "boom"}
Deed: TypeAlias = Callable[[Queue, Run], Awaitable[Any]]


def _finish(status: RunStatus) -> Deed:
    return lambda queue, run: queue.finish(run, Ending(status))


def _rival(strategy: str) -> Deed:
    return lambda queue, run: queue.create(run.thread_id, multitask_strategy=strategy)


DEEDS: Mapping[str, Deed] = {
    "claim": lambda queue, run: queue.claim("another"),
    **{f"finish as {status}": _finish(status) for status in TERMINAL},
    "retry": lambda queue, run: queue.queue.retry(run, timedelta(0), MISTAKE, 3),
    "hand back": lambda queue, run: queue.queue.hand_back(run),
    "interrupt": lambda queue, run: queue.cancel(run),
    "roll back": lambda queue, run: queue.cancel(run, "rollback"),
    "recover": lambda queue, run: queue.recover(run),
    "recover, budget spent": lambda queue, run: queue.recover(run, most=0),
    "restart": lambda queue, run: queue.queue.release_all(),
    "interrupted by another": _rival("interrupt"),
    "rolled back by another": _rival("rollback"),
    "queued behind": _rival("enqueue"),
}


async def _in(queue: Queue, status: RunStatus) -> Run:
    """A run alone in the queue; of one that has ended, what its worker still thinks of it."""
    run = await queue.add(new_id())
    if status == "pending":
        return run
    run = await queue.claim_one(lease=OVER)
    if status != "running":
        assert await queue.finish(run, Ending(status))
    return run


async def test_the_table_is_what_happens(queue: Queue) -> None:
    seen: set[tuple[RunStatus, RunStatus]] = set()
    for status in TRANSITIONS:
        for deed in DEEDS.values():
            run = await _in(queue, status)
            await deed(queue, run)
            after = await queue.rows.get(run.run_id)
            if after is not None and after.status != status:
                seen.add((status, after.status))
            await queue.storage.threads.delete(run.thread_id)
    assert seen == {(before, after) for before, allowed in TRANSITIONS.items() for after in allowed}
