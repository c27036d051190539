"""Waiting for facts instead of for time."""

import asyncio
import socket
import time
from collections.abc import Awaitable, Callable
from pathlib import Path


def until(
    fact: Callable[[], object], otherwise: str = "it did not happen in time", seconds: float = 20.0
) -> None:
    """Look again and again until `fact()` is true; fail with `otherwise` after so many seconds."""
    deadline = time.monotonic() + seconds
    while not fact():
        assert time.monotonic() < deadline, otherwise
        time.sleep(0.005)


async def eventually(
    fact: Callable[[], object | Awaitable[object]],
    otherwise: str = "it did not happen in time",
    seconds: float = 20.0,
) -> None:
    """`until` for an event loop that has other things to do; `fact` may have to be awaited."""
    deadline = time.monotonic() + seconds
    while True:
        answer = fact()
        if await answer if isinstance(answer, Awaitable) else answer:
            return
        assert time.monotonic() < deadline, otherwise
        await asyncio.sleep(0.02)


def gone(pid: int) -> bool:
    """Whether a process has ended, reaped or not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def listens(port: int) -> bool:
    """Whether somebody accepts connections there."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True
