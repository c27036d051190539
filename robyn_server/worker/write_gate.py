"""Whether a run may still write checkpoints, and who is writing some."""

import asyncio
import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial


class LeaseGone(Exception):
    """A write was refused: the run's lease is lost, or its execution is over."""


class WriteGate:
    """Open while a run is executed and its lease holds: a process that was stopped for a while must not write before
    it has learnt whether the run is still its own. LangGraph goes on writing in the background when it is cancelled at
    the wrong moment, and so do threads, which cannot be cancelled: what comes after the end must not be stored, or a
    run that was rolled back would have its checkpoints again."""

    def __init__(self) -> None:
        self.open_until = math.inf
        """By `time.monotonic`."""
        self._lock = threading.Lock()
        self._shut = False
        self._writing = 0
        self._emptied: Callable[[], object] | None = None

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Around one write, on any thread. Raises `LeaseGone`."""
        with self._lock:
            if self._shut or time.monotonic() > self.open_until:
                raise LeaseGone
            self._writing += 1
        try:
            yield
        finally:
            with self._lock:
                self._writing -= 1
                if not self._writing and self._emptied is not None:
                    self._emptied()

    def shut(self) -> None:
        """No more writes."""
        with self._lock:
            self._shut = True

    async def close(self) -> None:
        """No more writes; wait for those under way. To be called once."""
        loop, empty = asyncio.get_running_loop(), asyncio.Event()
        with self._lock:
            self._shut = True
            if not self._writing:
                return
            self._emptied = partial(loop.call_soon_threadsafe, empty.set)
        await empty.wait()
