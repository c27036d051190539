"""Deletes rows of runs that ended long ago."""

from datetime import datetime, timedelta

from robyn_server.engine.parts import Parts

AT_ONCE = 500


class RunSweeper:
    """Ago means the setting `run_retention`."""

    name = "run sweeper"
    every = timedelta(minutes=10)

    def __init__(self, parts: Parts, keep: timedelta) -> None:
        self._runs = parts.storage.runs
        self._keep = keep

    async def run_once(self, now: datetime) -> int:
        """How many runs were deleted."""
        deleted = total = await self._runs.delete_finished(now - self._keep, AT_ONCE)
        while deleted == AT_ONCE:
            deleted = await self._runs.delete_finished(now - self._keep, AT_ONCE)
            total += deleted
        return total
