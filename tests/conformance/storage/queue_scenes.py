"""What tests of the run queue say again and again, in short."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

from robyn_server.resources.clock import now
from robyn_server.resources.ids import new_id
from robyn_server.resources.run import CancelOutcome, Ending, Finished, NewRun, Queued, Run, ThreadForRun
from robyn_server.resources.run_lifecycle import CancelAction
from robyn_server.resources.thread import Thread
from robyn_server.storage.interfaces import Storage

LEASE = timedelta(seconds=30)
OVER = timedelta(seconds=-1)
"""A lease that is over as soon as it is given."""

HERE = ThreadForRun(create=True, metadata={}, config={})


def new_run(thread_id: str, **changes: Any) -> NewRun:
    run = NewRun(
        run_id=new_id(),
        thread_id=thread_id,
        assistant_id="11111111-1111-4111-8111-111111111111",
        graph_id="echo",
        metadata={"m": 1},
        kwargs={"input": {"text": "hä?"}, "stream_mode": ["values"]},
        caller={"identity": "ada"},
    )
    return replace(run, **changes)


class Queue:
    """The queue of a storage, with defaults."""

    def __init__(self, storage: Storage) -> None:
        self.storage = storage
        self.rows = storage.runs
        self.queue = storage.queue

    async def create(self, thread_id: str, **changes: Any) -> Queued:
        return await self.queue.create(new_run(thread_id, **changes), HERE)

    async def add(self, thread_id: str, **changes: Any) -> Run:
        return (await self.create(thread_id, **changes)).run

    async def claim(
        self, worker: str = "w", lease: timedelta = LEASE, free: Mapping[str, int] | None = None
    ) -> list[Run]:
        return await self.queue.claim(worker, lease, free or {"default": 100})

    async def claim_one(self, worker: str = "w", lease: timedelta = LEASE) -> Run:
        (run,) = await self.claim(worker, lease)
        return run

    async def cancel(self, run: Run, action: CancelAction = "interrupt") -> CancelOutcome:
        outcome, _ = await self.queue.cancel(run, action, "test")
        return outcome

    async def finish(self, run: Run, ending: Ending | None = None) -> Finished | None:
        return await self.queue.finish(run, ending or Ending("success"))

    async def thread(self, thread_id: str) -> Thread:
        thread = await self.storage.threads.get(thread_id)
        assert thread is not None
        return thread

    async def recover(self, run: Run, most: int = 3) -> Any:
        return await self.queue.recover(run, now(), most)
