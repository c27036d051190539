"""Lets go of events that nobody can ask for any more."""

from datetime import datetime, timedelta

from robyn_server.events.interfaces import Spill
from robyn_server.events.log import InProcessEventLog
from robyn_server.settings import Settings


class EventSweeper:
    """Memory of idle threads, and the spill by age and size."""

    name = "event sweeper"
    every = timedelta(seconds=30)

    def __init__(self, log: InProcessEventLog, spill: Spill, settings: Settings) -> None:
        self._log = log
        self._spill = spill
        self._settings = settings

    async def run_once(self, now: datetime) -> int:
        """How many threads and entries were let go."""
        keep_ms = int(self._settings.resumable_ttl.total_seconds() * 1000)
        swept = await self._spill.sweep(int(now.timestamp() * 1000), keep_ms, self._settings.spill_bytes)
        return self._log.sweep() + swept
