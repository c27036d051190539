"""Deletes items of the store whose time to live is over."""

from datetime import datetime, timedelta

from robyn_server.engine.parts import Parts

EVERY = timedelta(minutes=5)


class StoreSweeper:
    """As often as `store.ttl.sweep_interval_minutes` of langgraph.json says, else EVERY. Readers no longer see
    such items anyway."""

    name = "store sweeper"

    def __init__(self, parts: Parts) -> None:
        self._storage = parts.storage
        minutes = (self._storage.store.ttl_config or {}).get("sweep_interval_minutes")
        self.every = timedelta(minutes=minutes) if minutes else EVERY

    async def run_once(self, now: datetime) -> int:
        """How many items were deleted."""
        return await self._storage.sweep_store()
