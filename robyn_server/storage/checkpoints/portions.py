"""Upkeep in portions: each is a transaction of its own, so that other writes need not wait for the whole."""

import asyncio
from collections.abc import Generator, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

from robyn_server.storage.db import Start, ThreadedDb

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Look:
    """A transition that changes nothing."""

    start: Start[Any]


@dataclass(frozen=True, slots=True)
class Change:
    """A transition that holds the writer for some 10 ms at most."""

    start: Start[Any]


Work: TypeAlias = Generator[Look | Change, Any, T]
"""Yields transitions and receives what they return. After each of them the database is consistent, and the work may be
begun again from the start: a crash may come between any two."""


def portions(of: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """`of` cut into pieces of `size`."""
    return (of[start : start + size] for start in range(0, len(of), size))


class Portions:
    """Does the works of one database."""

    def __init__(self, db: ThreadedDb) -> None:
        self._db = db
        self._under_way: set[asyncio.Task[None]] = set()

    async def carry_out(self, work: Work[None]) -> None:
        """Do it; once begun it goes on to its end, also when nobody waits for it any more. Raises as `Db.write`."""
        task = asyncio.create_task(self._carry_out(work), name="upkeep of checkpoints")
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        await asyncio.shield(task)

    def carry_out_sync(self, work: Work[None]) -> None:
        """`carry_out` for threads without an event loop."""
        with suppress(StopIteration):
            step = next(work)
            while True:
                act = self._db.read_sync if isinstance(step, Look) else self._db.write_sync
                step = work.send(act(step.start))

    async def ended(self) -> None:
        """Wait for what was begun on this event loop."""
        loop = asyncio.get_running_loop()
        mine = [task for task in self._under_way if task.get_loop() is loop]
        await asyncio.gather(*mine, return_exceptions=True)

    async def _carry_out(self, work: Work[None]) -> None:
        with suppress(StopIteration):
            step = next(work)
            while True:
                act = self._db.read if isinstance(step, Look) else self._db.write
                step = work.send(await act(step.start))
