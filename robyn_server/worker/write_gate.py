"""Whether a run may still write checkpoints, and who is writing some."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

LOOK_EVERY = 0.005


class LeaseGone(Exception):
    """A write was refused: the run's lease is lost, or its execution is over."""


class WriteGate:
    """Open while a run is executed. LangGraph goes on writing in the background when it is cancelled at the wrong
    moment, and so do threads, which cannot be cancelled: what comes after the end must not be stored, or a run that
    was rolled back would have its checkpoints again."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._shut = False
        self._writing = 0

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Around one write, on any thread. Raises `LeaseGone`."""
        with self._lock:
            if self._shut:
                raise LeaseGone
            self._writing += 1
        try:
            yield
        finally:
            with self._lock:
                self._writing -= 1

    def shut(self) -> None:
        """No more writes."""
        with self._lock:
            self._shut = True

    async def close(self) -> None:
        """No more writes; wait for those under way."""
        self.shut()
        while self._writing:
            await asyncio.sleep(LOOK_EVERY)
