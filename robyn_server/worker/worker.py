"""Claims runs and has them executed: as many at once as there are slots."""

import asyncio
import logging
import os
import random
import socket
import time
from collections import Counter
from collections.abc import Collection, Mapping

from robyn_server.engine.parts import Parts
from robyn_server.errors import DomainError
from robyn_server.resources.ids import random_id
from robyn_server.resources.run import Held, Run
from robyn_server.worker.executor import Executor
from robyn_server.worker.job import Job
from robyn_server.worker.lease import LeaseKeeper
from robyn_server.worker.stop_reason import CancelRequested, LeaseLost, ShuttingDown

logger = logging.getLogger(__name__)

POLL_SECONDS = 1.0
SHORTEST_SECONDS = 0.002
"""What is due and not to be had (its lane is full, another worker was faster) must not make the loop spin."""
UNWIND_SECONDS = 5.0


class Worker:
    """One worker of this process."""

    def __init__(self, parts: Parts, executor: Executor) -> None:
        self.worker_id = f"{socket.gethostname()}:{os.getpid()}:{random_id()[:8]}"
        self._parts = parts
        self._executor = executor
        self._jobs: dict[str, Job] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._wake = asyncio.Event()
        self._draining = False
        self._hinted_early = False
        self._loop_task: asyncio.Task[None] | None = None
        self._lease = LeaseKeeper(
            parts.storage.queue, self.worker_id, parts.settings, self._jobs.keys, self._renewed, self._held
        )

    @property
    def slots(self) -> Mapping[str, int]:
        """How many runs of each lane may go at once."""
        return {"default": self._parts.settings.slots, **dict(self._parts.settings.lane_slots)}

    @property
    def active(self) -> int:
        """How many runs go on now."""
        return len(self._jobs)

    def start(self) -> None:
        """Begin to claim."""
        self._parts.notifier.on_run_queued(self._wake.set)
        self._parts.notifier.on_cancel_requested(self._cancel_hint)
        self._lease.start()
        self._wake.set()
        self._loop_task = asyncio.create_task(self._claim_loop(), name="claim loop")

    async def drain(self, grace: float) -> None:
        """Stop claiming; let runs finish for `grace` seconds, then hand the others back."""
        self._draining = True
        self._wake.set()
        if self._loop_task is not None:
            await self._loop_task
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=grace)
        for job in self._jobs.values():
            job.stop_for(ShuttingDown())
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=UNWIND_SECONDS)
        self._lease.stop()

    async def _claim_loop(self) -> None:
        timeout = POLL_SECONDS
        while not self._draining:
            await self._woken(timeout)
            if self._draining:
                return
            try:
                timeout = await self._claim()
            except DomainError:
                # The database is away or full for now; what is queued waits.
                logger.warning("Cannot claim runs", exc_info=True)
                timeout = POLL_SECONDS

    async def _woken(self, timeout: float) -> None:
        """Wait for a hint, or until there may be something to do without one."""
        try:
            async with asyncio.timeout(timeout):
                await self._wake.wait()
        except TimeoutError:
            pass
        self._wake.clear()

    async def _claim(self) -> float:
        """Claim what is due and free; how long to wait for more without a hint."""
        used = Counter(job.run.lane for job in self._jobs.values())
        free = {lane: slots - used[lane] for lane, slots in self.slots.items() if slots > used[lane]}
        if not free:
            return POLL_SECONDS
        asked = time.monotonic()
        runs = await self._parts.storage.queue.claim(self.worker_id, self._parts.settings.lease, free)
        for run in runs:
            self._begin(run, asked)
        if runs and self._hinted_early:
            self._hinted_early = False
            self._lease.beat_soon()
        if runs:
            return 0.0 if len(runs) == sum(free.values()) else POLL_SECONDS
        due = await self._parts.storage.queue.next_due()
        poll = POLL_SECONDS * random.uniform(0.7, 1.3)
        if due is None:
            return poll
        return min(max((due - self._parts.storage.now()).total_seconds(), SHORTEST_SECONDS), poll)

    def _begin(self, run: Run, claimed_at: float) -> None:
        job = Job(run)
        job.gate.open_until = claimed_at + self._parts.settings.lease.total_seconds()
        self._jobs[run.run_id] = job
        task = asyncio.create_task(self._work(job), name=f"job {run.run_id}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _work(self, job: Job) -> None:
        run = job.run
        if run.cancel_action is not None:
            job.stop_for(CancelRequested(run.cancel_action, run.cancel_reason or ""))
        try:
            await self._executor.execute(job)
        except Exception:
            # Its end could not be recorded: the lease runs out and the sweeper settles it.
            logger.exception("Run left to the sweeper", extra={"run_id": run.run_id})
        finally:
            # Others may have waited for this slot; what waits for this thread has a hint of its own.
            if len(self._jobs) >= min(self.slots.values()):
                self._wake.set()
            del self._jobs[run.run_id]
            job.stopped.set()

    def _cancel_hint(self, run_id: str) -> None:
        """A hint says only that there is an intent; the heartbeat's answer says which. One that comes while the run
        is being claimed is acted on as soon as it has been."""
        if run_id in self._jobs:
            self._lease.beat_soon()
        else:
            self._hinted_early = True

    def _renewed(self, held: Mapping[str, Held], until: float) -> None:
        for run_id, mine in held.items():
            job = self._jobs.get(run_id)
            if job is not None and job.run.attempt == mine.attempt:
                job.gate.open_until = until

    def _held(self, held_before: Collection[str], held: Mapping[str, Held] | None) -> None:
        """What a heartbeat found of the runs held before it; None: the leases must be taken for lost."""
        for run_id in held_before:
            job = self._jobs.get(run_id)
            if job is None:
                continue
            mine = held.get(run_id) if held is not None else None
            if mine is None or mine.attempt != job.run.attempt:
                job.stop_for(LeaseLost())
            elif mine.cancel_action is not None:
                job.stop_for(CancelRequested(mine.cancel_action, mine.cancel_reason or ""))
