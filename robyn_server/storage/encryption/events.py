"""Events sealed for a log that others keep, such as Redis."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from robyn_server.resources.event import RunEvent
from robyn_server.storage.encryption.cipher import Cipher, is_sealed


class EventSealing:
    """`events.sealing.Sealing`. Entries from before encryption are read as well."""

    def __init__(self, cipher: Cipher) -> None:
        self._cipher = cipher

    def seal(self, data: bytes) -> bytes:
        """See `Sealing`."""
        return self._cipher.seal(data) if data and self._cipher.seals else data

    async def opened(self, entries: Sequence[RunEvent]) -> list[RunEvent]:
        """See `Sealing`."""
        if not any(is_sealed(entry.data) for entry in entries):
            return list(entries)
        if self._cipher.may_wait:
            return await asyncio.to_thread(self._open, entries)
        return self._open(entries)

    def _open(self, entries: Sequence[RunEvent]) -> list[RunEvent]:
        return [
            replace(entry, data=self._cipher.open(entry.data)) if is_sealed(entry.data) else entry
            for entry in entries
        ]
