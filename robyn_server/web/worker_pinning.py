"""Keeps Python's thread state of each of Robyn's HTTP threads alive.

Robyn attaches to the interpreter several times per request, and each time a thread state is made and destroyed. A
thread that holds the interpreter's state once and for all spares that: about half of the cost of a small request.
The threads live as long as the process, so nothing leaks.
"""

import asyncio
import ctypes
import secrets
import threading

from robyn.robyn import FunctionInfo, Headers, HttpMethod, Request, Response, Server

ATTEMPTS_PER_WORKER = 8
LOOK_EVERY = 0.01
PATIENCE = 10.0
"""Seconds for the listener to answer at all."""


class WorkerPinning:
    """A route of our own behind an unguessable path: only a handler runs on an HTTP thread."""

    def __init__(self, workers: int) -> None:
        self._workers = workers
        self._path = f"/{secrets.token_urlsafe(32)}"
        self._pinned: set[int] = set()
        self._answer = Response(204, Headers({}), b"")

    def mount(self, server: Server) -> None:
        """Register the route. It is synchronous, so that it runs on the HTTP thread itself."""
        server.add_route(HttpMethod.GET, self._path, FunctionInfo(self._pin, False, 1, {}, {}), False)  # type: ignore[arg-type]

    def _pin(self, _: Request) -> Response:
        thread = threading.get_native_id()
        if thread not in self._pinned:
            self._pinned.add(thread)
            ctypes.pythonapi.PyGILState_Ensure()
        return self._answer

    async def run(self, address: str, port: int) -> None:
        """Wait until the server answers, then reach every HTTP thread: connections go to them in turn.

        Raises `TimeoutError` when it does not answer.
        """
        for _ in range(round(PATIENCE / LOOK_EVERY)):
            if await self._ask(address, port):
                break
            await asyncio.sleep(LOOK_EVERY)
        else:
            raise TimeoutError(f"The server does not answer on {address} port {port}")
        for _ in range(ATTEMPTS_PER_WORKER * self._workers):
            if len(self._pinned) >= self._workers:
                return
            await self._ask(address, port)

    async def _ask(self, address: str, port: int) -> bool:
        try:
            reader, writer = await asyncio.open_connection(address, port)
            writer.write(f"GET {self._path} HTTP/1.1\r\nHost: self\r\nConnection: close\r\n\r\n".encode())
            answer = await reader.read(12)
            writer.close()
            await writer.wait_closed()
        except OSError:
            return False
        return answer == b"HTTP/1.1 204"
