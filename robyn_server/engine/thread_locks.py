"""One writer of a thread's state at a time: each reads the newest checkpoint and writes the next one."""

import asyncio
from weakref import WeakValueDictionary


class ThreadLocks:
    """Locks by thread id, for one process; one that nobody holds takes no room. Whoever updates the state, deletes the
    thread or queues a run on it holds its lock; a run itself does not, since updates are refused while there is one."""

    def __init__(self) -> None:
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    def of(self, thread_id: str) -> asyncio.Lock:
        """The lock of a thread; keep it while it is held."""
        return self._locks.setdefault(thread_id, asyncio.Lock())
