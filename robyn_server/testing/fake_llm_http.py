"""As much HTTP/1.1 as the stand-in model needs: JSON requests with a length, JSON answers, chunked event streams."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TypeAlias
from urllib.parse import urlsplit

from robyn_server.resources.types import Json

MAX_BODY_BYTES = 32 * 1024 * 1024


class Cut(Exception):
    """Drop the connection without a word."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One request; `body` is None when there is no JSON in it, header names are in lower case."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: Json


@dataclass(frozen=True, slots=True)
class Answer:
    """One JSON answer."""

    status: int
    body: Json
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Chunks:
    """An event stream."""

    pieces: AsyncIterator[bytes]


Handler: TypeAlias = Callable[[Asked], Awaitable[Answer | Chunks]]


async def serve(handler: Handler, host: str, port: int) -> asyncio.Server:
    """Listen; the caller closes."""

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while (asked := await _read(reader)) is not None:
                await _write(writer, await handler(asked))
                if asked.headers.get("connection", "").lower() == "close":
                    break
        except (Cut, ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError):
            # The client is gone, speaks no HTTP, or shall see a broken connection: nothing is left to say.
            pass
        finally:
            writer.close()

    return await asyncio.start_server(connected, host, port)


async def _read(reader: asyncio.StreamReader) -> Asked | None:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    first, *lines = head.decode("latin-1").rstrip("\r\n").split("\r\n")
    method, target, _ = first.split(" ", 2)
    headers = {
        name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)
    }
    length = int(headers.get("content-length", 0))
    if not 0 <= length <= MAX_BODY_BYTES:
        raise ValueError(length)
    raw = await reader.readexactly(length)
    try:
        body = json.loads(raw) if raw else None
    except ValueError:
        body = None
    return Asked(method, urlsplit(target).path, headers, body)


async def _write(writer: asyncio.StreamWriter, answer: Answer | Chunks) -> None:
    if isinstance(answer, Answer):
        body = json.dumps(answer.body).encode()
        headers = {**answer.headers, "content-type": "application/json", "content-length": str(len(body))}
        writer.write(_head(answer.status, headers) + body)
    else:
        writer.write(_head(200, {"content-type": "text/event-stream", "transfer-encoding": "chunked"}))
        async for piece in answer.pieces:
            writer.write(b"%x\r\n%b\r\n" % (len(piece), piece))
            await writer.drain()
        writer.write(b"0\r\n\r\n")
    await writer.drain()


def _head(status: int, headers: Mapping[str, str]) -> bytes:
    lines = [
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}",
        *(f"{name}: {value}" for name, value in headers.items()),
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
