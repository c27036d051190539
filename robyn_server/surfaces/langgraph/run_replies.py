"""How runs are answered: the object, the stream, or the end of a wait."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from typing import Any

from robyn_server.resources.run import Run
from robyn_server.web.routing import Answer, EventStream, Reply

PLAIN_SECONDS = 5.0
"""A wait that ends within this time gets a plain answer, a longer one a body kept open by newlines."""


def location(run: Run) -> str:
    """Where a run on a thread is found."""
    return f"/threads/{run.thread_id}/runs/{run.run_id}"


def places(thread_id: str, run_id: str, follow: str) -> dict[str, str]:
    """The headers that name a run and where to follow it again (`stream` or `join`)."""
    run = f"/threads/{thread_id}/runs/{run_id}"
    return {"location": f"{run}/{follow}", "content-location": run}


def stream_headers(run: Run) -> dict[str, str]:
    """Of a stream of a run on a thread."""
    return places(run.thread_id, run.run_id, "stream")


def wait_headers(run: Run) -> dict[str, str]:
    """Of a wait, join or waiting cancel."""
    return places(run.thread_id, run.run_id, "join")


async def whole_or_late(
    body: Coroutine[Any, Any, bytes],
    headers: dict[str, str],
    on_disconnect: Callable[[], Awaitable[Any]] | None = None,
) -> Answer:
    """Answer with the body when it is there soon, else open a stream that ends with it."""
    task = asyncio.create_task(body)
    done, _ = await asyncio.wait({task}, timeout=PLAIN_SECONDS)
    if done:
        return Reply(200, task.result(), headers=headers)
    return EventStream(
        _late(task),
        headers=headers,
        content_type="application/json",
        heartbeat=b"\n",
        on_disconnect=on_disconnect,
    )


async def _late(task: asyncio.Task[bytes]) -> AsyncIterator[bytes]:
    try:
        yield b"\n"
        yield await task
    finally:
        task.cancel()
