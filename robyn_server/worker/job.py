"""One claimed run in the hands of this worker."""

import asyncio
from dataclasses import dataclass, field

from robyn_server.resources.run import Run
from robyn_server.worker.guarded_saver import GuardedSaver
from robyn_server.worker.stop_reason import LeaseLost, StopReason


@dataclass(slots=True, eq=False)
class Job:
    """`task` runs the graph; `stop` says why it was cancelled, the first reason counts but for a lost lease."""

    run: Run
    task: asyncio.Task[None] | None = None
    stop: StopReason | None = None
    saver: GuardedSaver | None = None
    """What the graph stores its checkpoints through; None for a stateless run, or before it is opened."""
    stopped: asyncio.Event = field(default_factory=asyncio.Event)

    def stop_for(self, reason: StopReason) -> None:
        """Cancel the graph, saying why."""
        if self.stop is None or isinstance(reason, LeaseLost):
            self.stop = reason
        if self.task is not None:
            self.task.cancel()

    @property
    def holds_lease(self) -> bool:
        """Whether this worker may still write for the run."""
        return not isinstance(self.stop, LeaseLost)
