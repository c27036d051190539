"""Start and end of a custom ASGI application."""

import asyncio
import logging
from typing import Any

from robyn_server.errors import StartupError
from robyn_server.web.asgi_messages import AsgiApp, Message

logger = logging.getLogger(__name__)

END_WITHIN = 1.5
"""Seconds for the application to close what it has opened."""


class Lifespan:
    """Runs the application's lifespan in a task of its own. `state` is what it gives to its requests."""

    def __init__(self, app: AsgiApp) -> None:
        self.state: dict[str, Any] = {}
        self._app = app
        self._begun = False
        self._answers: asyncio.Queue[Message] = asyncio.Queue()
        self._end = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Returns once the application is ready. Raises `StartupError` when it says that it failed."""
        self._task = asyncio.create_task(self._run(), name="lifespan of the custom application")
        self._task.add_done_callback(lambda _: self._answers.put_nowait({"type": "gone"}))
        answer = await self._answers.get()
        if answer["type"] != "lifespan.startup.complete":
            error = self._task.exception() if self._task.done() else None
            reason = answer.get("message") or error or "it ended"
            last = str(reason).strip().rpartition("\n")[2]
            raise StartupError(f"The lifespan of http.app failed to start: {last}.")

    async def stop(self) -> None:
        """Let the application end."""
        if self._task is None or self._task.done():
            return
        self._end.set()
        _, late = await asyncio.wait({self._task}, timeout=END_WITHIN)
        if late:
            logger.warning("The lifespan of http.app did not end within %.1f seconds", END_WITHIN)
            self._task.cancel()

    async def _run(self) -> None:
        scope = {
            "type": "lifespan",
            "asgi": {"version": "3.0", "spec_version": "2.0"},
            "state": self.state,
        }
        await self._app(scope, self._receive, self._send)

    async def _receive(self) -> Message:
        if not self._begun:
            self._begun = True
            return {"type": "lifespan.startup"}
        await self._end.wait()
        return {"type": "lifespan.shutdown"}

    async def _send(self, message: Message) -> None:
        self._answers.put_nowait(message)
