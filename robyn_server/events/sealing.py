"""What the data of entries become where others keep them. Implemented in `storage/encryption/events.py`."""

from collections.abc import Sequence
from typing import Protocol

from robyn_server.resources.event import RunEvent


class Sealing(Protocol):
    """Data of entries in sealed form, and back."""

    def seal(self, data: bytes) -> bytes:
        """Never waits for long."""

    async def opened(self, entries: Sequence[RunEvent]) -> list[RunEvent]:
        """The entries in clear. Raises `Unavailable` where one cannot be opened."""


class InClear:
    """No encryption."""

    def seal(self, data: bytes) -> bytes:
        """`data`."""
        return data

    async def opened(self, entries: Sequence[RunEvent]) -> list[RunEvent]:
        """The same entries."""
        return list(entries)


IN_CLEAR = InClear()
