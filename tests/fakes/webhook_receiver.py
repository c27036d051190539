"""A small HTTP server that keeps what is posted to it and answers as it was told."""

import asyncio
import json
from collections import defaultdict
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Call:
    """One request. Header names in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    raw: bytes

    @property
    def body(self) -> Any:
        """What the body says."""
        return json.loads(self.raw)


class WebhookReceiver:
    """`answers[path]` are the next answers of a path: a status, a place to redirect to, or None for silence; after
    them it answers 200. Use it in `async with`."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.answers: dict[str, list[int | str | None]] = defaultdict(list)
        self.port = 0
        self._news = asyncio.Condition()
        self._closing = asyncio.Event()
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> "WebhookReceiver":
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._closing.set()
        self._server.close()
        await self._server.wait_closed()

    def url(self, path: str, host: str = "127.0.0.1") -> str:
        """Where to post."""
        return f"http://{host}:{self.port}{path}"

    async def called(self, path: str, times: int = 1, within: float = 15.0) -> list[Call]:
        """The calls of a path, once there are so many."""
        async with asyncio.timeout(within), self._news:
            await self._news.wait_for(lambda: len(self.of(path)) >= times)
        return self.of(path)

    def of(self, path: str) -> list[Call]:
        """The calls of a path so far."""
        return [call for call in self.calls if call.path == path]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            first, *lines = head.strip().split("\r\n")
            method, path, _ = first.split(" ")
            headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
            raw = await reader.readexactly(int(headers.get("content-length", 0)))
            async with self._news:
                self.calls.append(Call(method, path, headers, raw))
                self._news.notify_all()
            await self._answer(writer, self.answers[path].pop(0) if self.answers[path] else 200)
        finally:
            writer.close()

    async def _answer(self, writer: asyncio.StreamWriter, answer: int | str | None) -> None:
        if answer is None:
            await self._closing.wait()
            return
        place = f"location: {answer}\r\n" if isinstance(answer, str) else ""
        status = 307 if isinstance(answer, str) else answer
        writer.write(
            f"HTTP/1.1 {status} said\r\n{place}content-length: 0\r\nconnection: close\r\n\r\n".encode()
        )
        await writer.drain()
