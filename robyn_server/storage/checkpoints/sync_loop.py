"""An event loop in a thread of its own, for callers that have none or must not wait on theirs."""

import asyncio
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

from robyn_server.errors import Unavailable

T = TypeVar("T")


class SyncLoop:
    """Runs coroutines for other threads, which wait for them."""

    def __init__(self, name: str) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._serve, name=name, daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """What the coroutine returns or raises. Raises `Unavailable` after `close`."""
        if self._loop.is_closed():
            work.close()
            raise Unavailable("The database is closed.")
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def close(self) -> None:
        """Wait for what is under way, then end the thread. Blocks."""
        if self._loop.is_closed():
            return
        asyncio.run_coroutine_threadsafe(_others_done(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()


async def _others_done() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    if others:
        await asyncio.wait(others)
