"""One request through an ASGI application: what it sends becomes a `Reply`, or an `EventStream` that passes through."""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

from robyn_server.resources.caller import Caller
from robyn_server.web.asgi_messages import AsgiApp, Message, parted, scope_of
from robyn_server.web.routing import Answer, EventStream, Reply, Request

KEY = "robyn_server.exchange"
"""Where a scope names its exchange."""

MOST_WAITING = 16
"""Chunks of a stream that nobody has taken yet; then its source waits."""

logger = logging.getLogger(__name__)


class Exchange:
    """A request on its way. The routes at the other end tell it what ASGI has no words for: `route_path`, and of a
    stream its `heartbeat` and `on_disconnect`."""

    def __init__(
        self, request: Request, client: str | None, root_path: str, state: Mapping[str, Any]
    ) -> None:
        self.request = request
        self.route_path = ""
        self.caller: Caller | None = None
        self.heartbeat: bytes | None = None
        self.on_disconnect: Callable[[], Awaitable[Any]] | None = None
        self.scope = scope_of(request, client, root_path, state)
        self.scope[KEY] = self
        self._answered: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._body_given = False
        self._left = asyncio.Event()
        self._start: Message | None = None
        self._whole = bytearray()
        self._chunks: deque[bytes] = deque()
        self._news = asyncio.Event()
        self._room = asyncio.Event()
        self._ended = False
        self._task: asyncio.Task[None] | None = None

    async def through(self, app: AsgiApp, tasks: set[asyncio.Task[None]]) -> Answer:
        """Let the application answer. Raises what it raised without having answered; its task is kept in `tasks`, for
        it may go on after the answer."""
        self._task = task = asyncio.create_task(self._run(app))
        tasks.add(task)
        task.add_done_callback(tasks.discard)
        task.add_done_callback(self._done)
        return await self._answered

    async def _run(self, app: AsgiApp) -> None:
        await app(self.scope, self._receive, self._send)

    def _done(self, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if not self._answered.done():
            self._answered.set_exception(error or RuntimeError("The application did not answer"))
        elif error is not None and (self._ended or not self._is_stream()):
            # Starlette answers 500 by itself and raises the error again, for the log.
            logger.error(
                "The custom application failed: %s %s",
                self.request.method,
                self.request.path,
                exc_info=error,
                extra={"request_id": self.request.request_id},
            )
        self._news.set()

    async def _receive(self) -> Message:
        if not self._body_given:
            self._body_given = True
            return {"type": "http.request", "body": self.request.body, "more_body": False}
        await self._left.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._start = message
            if self._is_stream():
                self._answer_with_stream()
        elif message["type"] == "http.response.body":
            await self._take(bytes(message.get("body", b"")), more=bool(message.get("more_body", False)))

    async def _take(self, chunk: bytes, *, more: bool) -> None:
        if not self._is_stream():
            self._whole += chunk
            if not more and not self._answered.done():
                self._answer_whole()
            return
        if chunk:
            self._chunks.append(chunk)
        self._ended = self._ended or not more
        self._news.set()
        while len(self._chunks) >= MOST_WAITING:
            self._room.clear()
            await self._room.wait()

    def _is_stream(self) -> bool:
        """Whoever knows the length of a body has all of it."""
        if self._start is None or self._start["status"] in (204, 304):
            return False
        return not any(bytes(name).lower() == b"content-length" for name, _ in self._start["headers"])

    def _answer_whole(self) -> None:
        assert self._start is not None
        headers, content_type, cookies = parted(self._start["headers"])
        self._answered.set_result(
            Reply(self._start["status"], bytes(self._whole), content_type, headers, cookies)
        )

    def _answer_with_stream(self) -> None:
        assert self._start is not None
        headers, content_type, cookies = parted(self._start["headers"])
        # A heartbeat would break a body that some middleware has compressed.
        heartbeat = None if "content-encoding" in headers else self.heartbeat
        stream = EventStream(
            self._stream(),
            headers,
            content_type or "",
            heartbeat,
            # It would break a frame that the application has written in part.
            farewell=None,
            on_disconnect=self._disconnected,
            status=self._start["status"],
            cookies=cookies,
        )
        self._answered.set_result(stream)

    async def _stream(self) -> AsyncIterator[bytes]:
        assert self._task is not None
        try:
            while True:
                while self._chunks:
                    self._room.set()
                    yield self._chunks.popleft()
                if self._ended:
                    return
                if self._task.done():
                    self._task.result()
                    return
                self._news.clear()
                await self._news.wait()
        finally:
            self._left.set()
            if not self._ended:
                self._task.cancel()

    async def _disconnected(self) -> None:
        self._left.set()
        if self._task is not None and not self._ended:
            self._task.cancel()
        if self.on_disconnect is not None:
            await self.on_disconnect()
