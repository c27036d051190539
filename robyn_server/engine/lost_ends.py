"""Notices runs that have ended without a closing entry in the log: it was lost while the log was away.

The closing entry follows the commit at once. Where the rows say that a run is over, and some moments later its closing
entry still has not come, nobody will write it any more.
"""

import time
from collections.abc import Iterable

from robyn_server.errors import Unavailable
from robyn_server.resources.event import END_OF_RUN, START, RunEvent
from robyn_server.storage.interfaces import RunRows

GRACE_SECONDS = 2.0


class LostEnds:
    """Of one thread, for one reader of its log. With `run_id`: of that run alone."""

    def __init__(self, runs: RunRows, thread_id: str, run_id: str | None = None) -> None:
        self._runs = runs
        self._thread_id = thread_id
        self._only = run_id
        self._open: dict[str, int] = {} if run_id is None else {run_id: 0}
        """Attempts by run."""
        self._missing: dict[str, float] = {}
        """Runs that the rows say are over, and since when that is known."""

    def see(self, entries: Iterable[RunEvent]) -> None:
        """Take notice of what has come."""
        for entry in entries:
            self._missing.pop(entry.run_id, None)
            if entry.event == END_OF_RUN:
                self._open.pop(entry.run_id, None)
            elif entry.run_id:
                self._open[entry.run_id] = entry.attempt

    async def look(self) -> set[str] | None:
        """The active runs, which are watched from now on; None when they cannot be known. To be asked at the beginning
        too, by who follows a whole thread: of a run that goes on then, the end may be the first thing that is lost."""
        try:
            active = {run.run_id for run in await self._runs.active(self._thread_id)}
        except Unavailable:
            return None
        if self._only is None:
            for run_id in active:
                self._open.setdefault(run_id, 0)
        return active

    async def found(self) -> list[RunEvent]:
        """To be asked when nothing comes: closing entries for those whose own are lost. Their id is `START`."""
        active = await self.look()
        if active is None:
            return []
        now = time.monotonic()
        over = [run_id for run_id in self._open if run_id not in active]
        self._missing = {run_id: self._missing.get(run_id, now) for run_id in over}
        lost = [run_id for run_id, since in self._missing.items() if now - since >= GRACE_SECONDS]
        return [RunEvent(START, run_id, self._open.pop(run_id), END_OF_RUN, b"") for run_id in lost]
