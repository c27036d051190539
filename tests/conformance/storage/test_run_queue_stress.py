"""Everybody at once: creators with every strategy, cancellers, workers that crash, sweepers; then the invariants."""

import asyncio
import random
import time
from collections import Counter
from datetime import timedelta

from robyn_server.errors import Conflict, TooMany
from robyn_server.resources.clock import now
from robyn_server.resources.ids import new_id
from robyn_server.resources.run import EndedRun, Ending, Run, RunSearch
from robyn_server.resources.run_lifecycle import ACTIVE, CancelAction
from robyn_server.resources.thread import StateOutcome
from robyn_server.storage.interfaces import Storage
from tests.conformance.storage.queue_scenes import HERE, new_run

SECONDS = 3.0
SEEN = ("crash", "handed back", "retried", "final success", "final None", "final interrupted")
LEASE = timedelta(seconds=0.3)
BUDGET = 2
MISTAKE = {"error": "E", "message": "m"}


class Scene:
    def __init__(self, storage: Storage, seed: int) -> None:
        self.storage = storage
        self.queue = storage.queue
        self.random = random.Random(seed)
        self.threads = [new_id() for _ in range(8)]
        self.until = time.monotonic() + SECONDS
        self.runs: dict[str, Run] = {}
        self.refused = 0
        self.asked = 0
        self.dead: set[str] = set()
        self.final: dict[str, str | None] = {}
        self.on_thread: dict[str, str] = {}
        self.count: Counter[str] = Counter()

    def ended(self, run: EndedRun | None) -> None:
        if run:
            assert run.run_id not in self.final, f"finalized twice: {run}, was {self.final[run.run_id]}"
            self.final[run.run_id] = run.status
            self.count[f"final {run.status}"] += 1
            self.leave(run)

    def leave(self, run: EndedRun | Run) -> None:
        if self.on_thread.get(run.thread_id) == run.run_id:
            del self.on_thread[run.thread_id]

    @property
    def over(self) -> bool:
        return time.monotonic() > self.until

    @property
    def settled(self) -> bool:
        return self.over and len(self.final) == len(self.runs) == self.asked - self.refused

    async def create_and_cancel(self) -> None:
        while not self.over:
            await asyncio.sleep(self.random.random() * 0.01)
            if self.random.random() < 0.75 or not self.runs:
                await self.create()
            else:
                run = self.random.choice([*self.runs.values()][-60:])
                action: CancelAction = "interrupt" if self.random.random() < 0.5 else "rollback"
                outcome, ended = await self.queue.cancel(run, action, "stress")
                self.count[f"cancel {outcome}"] += 1
                self.ended(ended)

    async def create(self) -> None:
        new = new_run(
            self.random.choice(self.threads),
            multitask_strategy=self.random.choice(("reject", "enqueue", "enqueue", "interrupt", "rollback")),
            after_seconds=self.random.choice((0, 0, 0, 0.1)),
            priority=self.random.choice((0, 0, 1)),
        )
        self.asked += 1
        try:
            queued = await self.queue.create(new, HERE)
        except (Conflict, TooMany) as refusal:
            self.refused += 1
            self.count[type(refusal).__name__] += 1
        else:
            self.runs[new.run_id] = queued.run
            for ended in queued.ended:
                self.ended(ended)

    async def worker(self, number: int) -> None:
        name, jobs = f"w{number}", set[asyncio.Task[None]]()
        while not self.settled:
            # Few rounds fit into the time of a slow database: one crash there is whatever chance says.
            overdue = not self.count["crash"] and time.monotonic() > self.until - SECONDS / 2
            if overdue or self.random.random() < 0.01:
                # It dies: nobody renews its leases or finishes its runs.
                self.dead.add(name)
                name = f"{name}x"
                self.count["crash"] += 1
            for job in [job for job in jobs if job.done()]:
                jobs.remove(job)
                job.result()
            mine = [run_id for run_id in self.on_thread.values() if run_id is not None]
            held = await self.queue.heartbeat(name, LEASE, mine)
            wanted = {one.run_id for one in held if one.cancel_action}
            for run in await self.queue.claim(name, LEASE, {"default": 4 - len(jobs)}):
                assert self.on_thread.get(run.thread_id) in (None, run.run_id), "two runs on one thread"
                self.on_thread[run.thread_id] = run.run_id
                jobs.add(asyncio.create_task(self.execute(run, wanted)))
            await asyncio.sleep(0.005)

    async def execute(self, run: Run, wanted: set[str]) -> None:
        await asyncio.sleep(self.random.random() * 0.02)
        if run.worker_id in self.dead:
            return
        # A worker says that it is off the thread before it tells the queue, as a real one does.
        self.leave(run)
        chance = self.random.random()
        if chance < 0.05 and await self.queue.hand_back(run):
            self.count["handed back"] += 1
            return
        if chance < 0.15 and await self.queue.retry(run, timedelta(seconds=0.02), MISTAKE, BUDGET):
            self.count["retried"] += 1
            return
        ending = self.ending(run, wanted)
        if await self.queue.finish(run, ending):
            self.ended(EndedRun(run.run_id, run.thread_id, ending.status))
        else:
            self.count["fenced off"] += 1

    def ending(self, run: Run, wanted: set[str]) -> Ending:
        if run.run_id in wanted:
            return Ending("interrupted")
        if self.random.random() < 0.2:
            return Ending("error", MISTAKE, MISTAKE)
        return Ending("success", state=StateOutcome(b"{}", {}, self.random.random() < 0.3))

    async def sweeper(self) -> None:
        while not self.settled:
            await asyncio.sleep(0.05)
            for run in await self.queue.expired(now()):
                self.leave(run)
                self.ended(await self.queue.recover(run, now(), BUDGET))
                if run.cancel_action == "rollback":
                    self.ended(await self.queue.finish_rollback(run, Ending(None)))

    async def check_rows(self) -> None:
        for thread_id in self.threads:
            thread = await self.storage.threads.get(thread_id)
            assert thread and thread.status != "busy"
            rows = await self.storage.runs.search(RunSearch(thread_id, limit=10_000))
            assert all(row.status not in ACTIVE for row in rows)
            mine = {run_id for run_id, run in self.runs.items() if run.thread_id == thread_id}
            kept = {run_id: status for run_id, status in self.final.items() if status and run_id in mine}
            assert {row.run_id: row.status for row in rows} == kept


async def test_nothing_runs_twice_or_is_lost_under_stress(storage: Storage) -> None:
    scene = Scene(storage, seed=random.randrange(10**6))
    async with asyncio.timeout(SECONDS + 20), asyncio.TaskGroup() as group:
        for _ in range(5):
            group.create_task(scene.create_and_cancel())
        for number in range(4):
            group.create_task(scene.worker(number))
        for _ in range(2):
            group.create_task(scene.sweeper())
    await scene.check_rows()
    print(dict(sorted(scene.count.items())))
    for seen in SEEN:
        assert scene.count[seen], f"the scene never saw {seen}"
