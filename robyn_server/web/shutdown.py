"""SIGTERM, SIGINT and SIGHUP: refuse what is new, finish what is under way, leave with exit code 0.

A server among others refuses nothing: `/ok` answers 503, so that no more is sent to it, and what comes all the same is
served until the runs have drained. Then the port is closed, to which a proxy answers by asking another server.

Robyn itself stops listening on SIGTERM and then never ends. A second signal ends the process at once.
"""

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from typing import NoReturn

from robyn_server.settings import Settings
from robyn_server.web import listening
from robyn_server.web.access_log import AccessLog
from robyn_server.web.application import Application
from robyn_server.web.dispatch import Dispatcher
from robyn_server.web.late_reply import PLAIN_SECONDS
from robyn_server.web.robyn_adapter import RobynAdapter
from robyn_server.web.streaming import StreamHub

logger = logging.getLogger(__name__)

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
BEYOND_GRACE = 5.0
"""Seconds that `drain` may take longer than the grace time it was given."""

STREAMS_MAY_TAKE = 3.0
REQUESTS_MAY_TAKE = PLAIN_SECONDS + 1.0
"""Seconds. Whoever waits for a run has by then got the headers that say where to ask again."""

LOOK_EVERY = 0.02
LAST_BYTES = 0.1
"""Seconds for the last chunks to reach the kernel: Robyn tells nobody when they have."""


class Shutdown:
    """Waits for a signal, then ends everything in order."""

    def __init__(
        self,
        application: Application,
        dispatcher: Dispatcher,
        adapter: RobynAdapter,
        hub: StreamHub,
        log: AccessLog,
        settings: Settings,
    ) -> None:
        self._application = application
        self._dispatcher = dispatcher
        self._adapter = adapter
        self._hub = hub
        self._log = log
        self._settings = settings
        self._under_way: asyncio.Task[None] | None = None

    def install(self) -> None:
        """Listen for the signals, on the running loop. May be repeated: Robyn sets its own when it starts."""
        loop = asyncio.get_running_loop()
        for number in SIGNALS:
            loop.add_signal_handler(number, self._signalled)

    def leave_on_failure(self, start: "asyncio.Task[None]") -> None:
        """For the task that starts the server: when it failed, so has the process."""
        if not start.cancelled() and (error := start.exception()) is not None:
            logger.error("The server could not start", exc_info=error)
            _leave(1)

    def _signalled(self) -> None:
        if self._under_way is not None:
            _leave(1)
        self._under_way = asyncio.get_running_loop().create_task(self._run())

    async def _run(self) -> None:
        logger.info("Shutting down: %d streams open", len(self._hub))
        # It reports twice a second that the listener is closed.
        logging.getLogger("actix_server.accept").setLevel(logging.CRITICAL + 1)
        if self._application.shared:
            drained = await self._drain_among_others()
        else:
            self._dispatcher.draining = True
            listening.stop_listening(self._settings.port)
            drained = await self._drain()
        await self._hub.leave_all(STREAMS_MAY_TAKE)
        await self._requests_end()
        # Who waits for a run has a late answer by now, and is to come back for it: closing would end it half done.
        await self._hub.leave_all(STREAMS_MAY_TAKE)
        await self._hub.settle(REQUESTS_MAY_TAKE)
        closed = await _finish("close", self._application.close, BEYOND_GRACE)
        await asyncio.sleep(LAST_BYTES)
        self._log.flush()
        _leave(0 if drained and closed else 1)

    async def _drain_among_others(self) -> bool:
        delay = self._settings.shutdown_delay.total_seconds()
        drained, _ = await asyncio.gather(self._drain(), asyncio.sleep(delay))
        listening.stop_listening(self._settings.port)
        listening.take_no_more_requests(self._settings.port)
        await self._requests_end()
        self._dispatcher.draining = True
        return drained

    async def _drain(self) -> bool:
        within = self._settings.shutdown_grace.total_seconds() + BEYOND_GRACE
        return await _finish("drain", self._application.drain, within)

    async def _requests_end(self) -> None:
        for _ in range(round(REQUESTS_MAY_TAKE / LOOK_EVERY)):
            if not self._adapter.requests_under_way:
                return
            await asyncio.sleep(LOOK_EVERY)


async def _finish(name: str, step: Callable[[], Awaitable[None]], within: float) -> bool:
    """Whether one step of the way out went well; it is logged when not."""

    async def run() -> None:
        await step()

    task = asyncio.create_task(run())
    done, _ = await asyncio.wait({task}, timeout=within)
    if not done:
        logger.error("Shutting down: %s took more than %.0f seconds", name, within)
        return False
    error = task.exception()
    if error is not None:
        logger.error("Shutting down: %s failed", name, exc_info=error)
    return error is None


def _leave(code: int) -> NoReturn:
    # Robyn's threads outlive an orderly exit of the interpreter.
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
