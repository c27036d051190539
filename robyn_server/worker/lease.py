"""Keeps this worker's leases alive, and learns from the same statement who shall stop.

It beats in a thread of its own, so that user code which blocks the event loop does not cost the lease. When no
beat has succeeded for two thirds of a lease the worker must take its runs for lost: somebody else may be about to
claim them.
"""

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Collection, Mapping

from robyn_server.errors import DomainError
from robyn_server.resources.run import Held
from robyn_server.settings import Settings
from robyn_server.storage.interfaces import RunQueue

logger = logging.getLogger(__name__)

Renewed = Callable[[Mapping[str, Held], float], None]
"""Called on the beating thread, as user code may block the loop: what is held, and until when, by `time.monotonic`."""

Report = Callable[[Collection[str], Mapping[str, Held] | None], None]
"""Called on the loop with the run ids held before a beat and what the beat answered; None: the leases are lost."""


class LeaseKeeper:
    """The heartbeat of one worker."""

    def __init__(
        self,
        queue: RunQueue,
        worker_id: str,
        settings: Settings,
        holding: Callable[[], Collection[str]],
        renewed: Renewed,
        report: Report,
    ) -> None:
        self._queue = queue
        self._worker_id = worker_id
        self._lease = settings.lease
        self._every = settings.heartbeat.total_seconds()
        self._holding = holding
        self._renewed = renewed
        self._report = report
        self._beat_now = threading.Event()
        self._stopping = False
        self._unanswered: asyncio.Future[list[Held]] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=self._run, name="leases", daemon=True)

    def start(self) -> None:
        """Begin to beat; call on the event loop that `report` shall be called on."""
        self._loop = asyncio.get_running_loop()
        self._thread.start()

    def beat_soon(self) -> None:
        """Beat now rather than at the next turn: there may be somebody to stop."""
        self._beat_now.set()

    def stop(self) -> None:
        """No more beats."""
        self._stopping = True
        self._beat_now.set()
        self._thread.join(timeout=2)

    def _run(self) -> None:
        with asyncio.Runner() as runner:
            self._beat_until_stopped(runner)

    def _beat_until_stopped(self, runner: asyncio.Runner) -> None:
        last_success = time.monotonic()
        while not self._stopping:
            self._beat_now.wait(self._every)
            self._beat_now.clear()
            held_before = list(self._holding())
            if self._stopping:
                return
            if not held_before:
                last_success = time.monotonic()
                continue
            began = time.monotonic()
            answer = runner.run(self._beat(held_before))
            if answer is not None:
                last_success = began
                held = {one.run_id: one for one in answer}
                self._renewed(held, began + self._lease.total_seconds())
                self._tell(held_before, held)
            elif time.monotonic() - last_success > self._lease.total_seconds() * 2 / 3:
                self._tell(held_before, None)

    async def _beat(self, run_ids: Collection[str]) -> list[Held] | None:
        """None when it has failed, or a database that stands still does not answer. Then it is left to itself: what has
        been sent cannot be taken back."""
        if self._unanswered is not None and not self._unanswered.done():
            await asyncio.wait([self._unanswered], timeout=self._every)
            return None
        beat = asyncio.ensure_future(self._queue.heartbeat(self._worker_id, self._lease, run_ids))
        await asyncio.wait([beat], timeout=self._lease.total_seconds() / 3)
        if not beat.done():
            logger.warning("Heartbeat not answered")
            self._unanswered = beat
            return None
        try:
            return beat.result()
        except DomainError:
            logger.warning("Heartbeat failed", exc_info=True)
            return None

    def _tell(self, held_before: Collection[str], held: Mapping[str, Held] | None) -> None:
        assert self._loop is not None
        try:
            self._loop.call_soon_threadsafe(self._report, held_before, held)
        except RuntimeError:
            # The loop is closed: the process is going down.
            self._stopping = True
