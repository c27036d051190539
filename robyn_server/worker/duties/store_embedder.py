"""Embeds items of the store again after a change of `store.index`."""

import logging
from datetime import datetime, timedelta

from robyn_server.engine.parts import Parts

logger = logging.getLogger(__name__)


class StoreEmbedder:
    """See the module's line. Until an item's turn comes, a search by meaning lists it last, without a score."""

    name = "store embedder"
    every = timedelta(seconds=30)

    def __init__(self, parts: Parts) -> None:
        self._storage = parts.storage

    async def run_once(self, now: datetime) -> int:
        """How many items were embedded."""
        total = 0
        while count := await self._storage.embed_again():
            total += count
        if total:
            logger.info("Store items embedded again after a change of store.index", extra={"items": total})
        return total
