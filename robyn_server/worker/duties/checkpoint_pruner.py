"""Keeps the history of each thread at a certain length."""

from datetime import datetime, timedelta

from robyn_server.engine.hooks import RunHook
from robyn_server.engine.parts import Parts
from robyn_server.resources.run import Ending, Run


class CheckpointPruner(RunHook):
    """Prunes threads on which runs have ended, to the setting `checkpoints_per_thread`. What a crash forgets is
    pruned after the next run."""

    name = "checkpoint pruner"
    every = timedelta(seconds=2)

    def __init__(self, parts: Parts, keep: int) -> None:
        self._storage = parts.storage
        self._keep = keep
        self._grown: set[str] = set()

    def finished(self, run: Run, ending: Ending, ended_at: datetime) -> None:
        """See `RunHook`."""
        if not run.temporary:
            self._grown.add(run.thread_id)

    async def run_once(self, now: datetime) -> int:
        """How many threads were pruned."""
        pruned = 0
        while self._grown:
            thread_id = self._grown.pop()
            # A run may have to be rolled back to what was before it; when it ends the thread comes again.
            if not await self._storage.runs.active(thread_id):
                await self._storage.checkpoints.keep_latest(thread_id, self._keep)
                pruned += 1
        return pruned
