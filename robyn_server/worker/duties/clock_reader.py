"""Keeps the clock that all servers on one database share."""

from datetime import datetime, timedelta

from robyn_server.engine.parts import Parts


class ClockReader:
    """In between, the time goes on as the machine counts it, whatever becomes of its own clock."""

    name = "clock reader"
    every = timedelta(seconds=30)

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def run_once(self, now: datetime) -> int:
        """Always 1."""
        await self._parts.storage.read_clock()
        return 1
