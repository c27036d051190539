"""Answers that take long: plain when they are there soon, else a body that newlines keep open until they are."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from typing import Any

from robyn_server.web.routing import Answer, EventStream, Headers, Reply

NO_HEADERS: Headers = {}
PLAIN_SECONDS = 5.0
"""How soon is soon: up to here the answer is plain."""


async def whole_or_late(
    body: Coroutine[Any, Any, bytes],
    headers: Headers = NO_HEADERS,
    on_disconnect: Callable[[], Awaitable[Any]] | None = None,
) -> Answer:
    """Answer with this JSON when it is there soon, else open a stream that ends with it."""
    task = asyncio.create_task(body)
    done, _ = await asyncio.wait({task}, timeout=PLAIN_SECONDS)
    if done:
        return Reply(200, task.result(), headers=headers)
    return EventStream(
        _late(task),
        headers=headers,
        content_type="application/json",
        heartbeat=b"\n",
        farewell=b"\n",
        on_disconnect=on_disconnect,
    )


async def _late(task: asyncio.Task[bytes]) -> AsyncIterator[bytes]:
    try:
        yield b"\n"
        yield await task
    finally:
        task.cancel()
