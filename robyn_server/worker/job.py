"""One claimed run in the hands of this worker."""

import asyncio
import math
import time
from dataclasses import dataclass, field

from robyn_server.resources.run import Run
from robyn_server.worker.guarded_saver import GuardedSaver
from robyn_server.worker.stop_reason import LeaseLost, StopReason
from robyn_server.worker.write_gate import WriteGate

CANCEL_AGAIN_AFTER = 8.0
"""Seconds that a graph has to unwind before it is cancelled once more."""


@dataclass(slots=True, eq=False)
class Job:
    """`task` runs the graph; `stop` says why it was cancelled, the first reason counts but for a lost lease."""

    run: Run
    task: asyncio.Task[None] | None = None
    stop: StopReason | None = None
    saver: GuardedSaver | None = None
    """What the graph stores its checkpoints through; None for a stateless run, or before it is opened."""
    stopped: asyncio.Event = field(default_factory=asyncio.Event)
    gate: WriteGate = field(default_factory=WriteGate)
    cancelled_at: float = -math.inf

    def stop_for(self, reason: StopReason) -> None:
        """Cancel the graph, saying why. Asked again, it is left to unwind for a while: another cancellation would
        cut off the checkpoints that it is still writing, and they would come after the run's end."""
        if self.stop is None or isinstance(reason, LeaseLost):
            self.stop = reason
        if isinstance(reason, LeaseLost):
            self.gate.shut()
        if self.task is not None and time.monotonic() - self.cancelled_at > CANCEL_AGAIN_AFTER:
            self.cancelled_at = time.monotonic()
            self.task.cancel()
