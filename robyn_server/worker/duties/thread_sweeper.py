"""Deletes or prunes threads whose time to live is over."""

from datetime import datetime

from robyn_server.engine.parts import Parts
from robyn_server.engine.thread_ttl import ttl_rules
from robyn_server.resources.thread import Thread


class ThreadSweeper:
    """Only threads without active runs; in an order that a crash in between does no harm to."""

    name = "thread sweeper"

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._rules = ttl_rules(parts.settings, parts.config_file)
        self.every = self._rules.sweep_every

    async def run_once(self, now: datetime) -> int:
        """How many threads were dealt with."""
        storage = self._parts.storage
        swept = 0
        for thread in await storage.threads.expired(now, self._rules.sweep_limit):
            async with self._parts.storage.thread_locks.of(thread.thread_id):
                # The sweep takes a while: who has come back to a thread since then keeps it.
                present = await storage.threads.get(thread.thread_id, leaving=True)
                if present is not None and present.expires_at == thread.expires_at:
                    await self._sweep(thread)
                    swept += 1
        return swept

    async def _sweep(self, thread: Thread) -> None:
        storage = self._parts.storage
        if thread.ttl is not None and thread.ttl.strategy == "keep_latest":
            await storage.checkpoints.keep_latest(thread.thread_id)
            await storage.threads.rest(thread.thread_id)
            return
        await storage.checkpoints.delete_thread(thread.thread_id)
        await storage.threads.delete(thread.thread_id)
        await self._parts.log.forget_thread(thread.thread_id)
