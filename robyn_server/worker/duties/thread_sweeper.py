"""Deletes or prunes threads whose time to live is over."""

from datetime import datetime, timedelta

from robyn_server.engine.parts import Parts

AT_ONCE = 100


class ThreadSweeper:
    """Only threads without active runs; in an order that a crash in between does no harm to."""

    name = "thread sweeper"
    every = timedelta(seconds=60)

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def run_once(self, now: datetime) -> int:
        """How many threads were dealt with."""
        storage = self._parts.storage
        threads = await storage.threads.expired(now, AT_ONCE)
        for thread in threads:
            if thread.ttl is not None and thread.ttl.strategy == "keep_latest":
                await storage.checkpoints.keep_latest(thread.thread_id)
                await storage.threads.touch_ttl(thread.thread_id, None)
                continue
            await storage.checkpoints.delete_thread(thread.thread_id)
            await storage.threads.delete(thread.thread_id)
            await self._parts.log.forget_thread(thread.thread_id)
        return len(threads)
