"""Sees when user code blocks the event loop: nothing is answered meanwhile."""

import asyncio
import logging
from datetime import datetime, timedelta

from robyn_server.observability.metrics import Metrics

logger = logging.getLogger(__name__)

TOO_LONG = 1.0
"""Seconds."""


class LoopLag:
    """A duty that does nothing but come late when the loop was held up."""

    name = "loop lag"
    every = timedelta(seconds=0.25)

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._due: float | None = None

    async def run_once(self, now: datetime) -> int:
        """1 when the loop stood still for too long."""
        at = asyncio.get_running_loop().time()
        lag = 0.0 if self._due is None else max(0.0, at - self._due)
        self._due = at + self.every.total_seconds()
        self._metrics.loop_lagged(lag)
        if lag < TOO_LONG:
            return 0
        logger.warning(
            "The event loop stood still for %.1f s: probably an async node does work that blocks. Make it a plain"
            " `def`, which runs on a thread, or await the work",
            lag,
        )
        return 1
