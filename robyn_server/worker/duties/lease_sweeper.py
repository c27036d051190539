"""Settles runs whose worker is dead: their lease is over."""

from datetime import datetime, timedelta

from robyn_server.engine.parts import Parts
from robyn_server.resources.run import EndedRun, Ending, Run
from robyn_server.worker.newest_state import newest_state
from robyn_server.worker.rollback import roll_back


class LeaseSweeper:
    """See the module's line."""

    name = "lease sweeper"
    every = timedelta(seconds=5)

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def run_once(self, now: datetime) -> int:
        """How many runs were settled."""
        runs = await self._parts.storage.queue.expired(now)
        for run in runs:
            ended = await self._settle(run, now)
            if ended is not None:
                await self._tell(run, ended, now)
        if runs:
            self._parts.notifier.run_queued()
        return len(runs)

    async def _settle(self, run: Run, now: datetime) -> EndedRun | None:
        storage, most = self._parts.storage, self._parts.settings.run_retries
        if run.cancel_action != "rollback":
            # The dead worker could not say what its last checkpoint was.
            ends = run.cancel_action is not None or run.failures >= most
            state = await newest_state(self._parts, run) if ends else None
            return await storage.queue.recover(run, now, most, state)
        # In this order a crash in between repeats the deletion and loses nothing.
        await roll_back(storage.checkpoints, run)
        error = {"error": "UserRollback", "message": run.cancel_reason or ""}
        state = await newest_state(self._parts, run)
        return await storage.queue.finish_rollback(run, Ending(None, error, state=state))

    async def _tell(self, run: Run, ended: EndedRun, now: datetime) -> None:
        if run.temporary:
            await self._parts.storage.threads.delete(run.thread_id)
        await self._parts.log.open(run.thread_id)
        self._parts.log.end(run.thread_id, run.run_id, run.attempt, run.resumable)
        self._parts.hooks.finished(run, Ending(ended.status, ended.error), now)
