"""The few routes of a worker node, for those who watch it: `/ok` and `/metrics`. Standard library only; it serves no
clients."""

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

from robyn_server.errors import NotFound
from robyn_server.web import listening
from robyn_server.web.errors import answer_or_error, error_reply
from robyn_server.web.routing import Answer, Handler, Reply, Request

if TYPE_CHECKING:
    from robyn_server.engine import Engine

LONGEST_HEAD = 8_192
"""Bytes."""

PATIENCE = 5.0
"""Seconds for a request to arrive and to be answered."""


class WorkerListener:
    """Answers one request for each connection. `handlers` by path, for GET."""

    def __init__(self, engine: "Engine", handlers: Mapping[str, Handler]) -> None:
        self._engine = engine
        self._handlers = handlers
        self._server: asyncio.Server | None = None

    async def start(self, host: str, port: int) -> None:
        """Listen. Raises `StartupError` when the port cannot be had."""
        listening.refuse_busy_port(host, port)
        self._server = await asyncio.start_server(self._serve, host, port, limit=LONGEST_HEAD)

    def close(self) -> None:
        """Listen no more."""
        if self._server is not None:
            self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(PATIENCE):
                head = await reader.readuntil(b"\r\n\r\n")
                writer.write(written(await self._answer(head)))
                await writer.drain()
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            # It has gone, or speaks something else.
            return
        finally:
            writer.close()

    async def _answer(self, head: bytes) -> Answer:
        method, _, rest = head.decode("latin-1").partition(" ")
        url = urlsplit(rest.partition(" ")[0])
        handler = self._handlers.get(url.path)
        if method != "GET" or handler is None:
            return error_reply(NotFound())
        request = Request(method, url.path, {}, parse_qs(url.query), {}, b"", self._engine)
        return await answer_or_error(_ready(handler, request), request)


async def _ready(handler: Handler, request: Request) -> Answer:
    return await handler(request)


def written(answer: Answer) -> bytes:
    """A whole answer as HTTP/1.1; these routes have no other."""
    if not isinstance(answer, Reply):
        raise TypeError("No stream was asked for")
    head = [
        f"HTTP/1.1 {answer.status} {'OK' if answer.status == 200 else 'Not OK'}",
        f"content-type: {answer.content_type}",
        f"content-length: {len(answer.body)}",
        "connection: close",
    ]
    return "\r\n".join([*head, "", ""]).encode() + answer.body
