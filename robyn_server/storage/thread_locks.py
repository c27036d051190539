"""One writer of a thread's state at a time: each reads the newest checkpoint and writes the next one."""

import asyncio
from weakref import WeakValueDictionary


class ThreadLocks:
    """`interfaces.ThreadLocks` for one process; a lock that nobody holds takes no room."""

    def __init__(self) -> None:
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    def of(self, thread_id: str) -> asyncio.Lock:
        """See `interfaces.ThreadLocks`."""
        return self._locks.setdefault(thread_id, asyncio.Lock())

    def here(self, thread_id: str) -> asyncio.Lock:
        """See `interfaces.ThreadLocks`."""
        return self.of(thread_id)
