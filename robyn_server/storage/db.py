"""How a table speaks to its database: transitions without I/O, and whoever runs them.

A transition is a generator that yields `(sql, parameters)`, receives the rows of that statement (a list of
tuples, empty for a statement that returns none) and returns its result. What it raises undoes all it did.

    def rename(dialect, thread_id, name):
        rows = yield "SELECT status FROM thread WHERE thread_id = ?" + dialect.lock, (thread_id,)
        if not rows:
            raise NotFound
        yield "UPDATE thread SET name = ? WHERE thread_id = ?", (name, thread_id)
        return rows[0][0]

    status = await db.write(lambda: rename(db.dialect, thread_id, name))
"""

from collections.abc import Callable, Generator, Sequence
from typing import Any, Protocol, TypeAlias, TypeVar

from robyn_server.errors import Unavailable
from robyn_server.storage.dialect import Dialect

T = TypeVar("T")

Row: TypeAlias = tuple[Any, ...]
Statement: TypeAlias = tuple[str, Sequence[Any]]
Transition: TypeAlias = Generator[Statement, list[Row], T]
Start: TypeAlias = Callable[[], Transition[T]]
"""Begins a transition. It may be called again when the database asks for a retry, so it has no effects of its
own."""


class TakenElsewhere(Unavailable):
    """Raised by a transition that another server keeps from going on for a moment: it is tried again for a while."""

    default = "Another server is changing the thread; try again."


class Db(Protocol):
    """Runs transitions. All methods raise what the transition raises, and `Unavailable` when the database
    cannot be used now (a full disk, a lock that is not given up, a closed database); nothing is kept then."""

    dialect: Dialect
    alone: bool
    """Whether no other process writes to the database, so that what was read may be remembered."""

    async def read(self, start: Start[T]) -> T:
        """Run a transition that changes nothing, on one snapshot."""

    async def glance(self, start: Start[T]) -> T:
        """`read` for what is likely to be short: a row found by a key, a page of small rows. Each of its statements
        may see another snapshot. A database in this process may answer at once, on the caller's thread."""

    async def write(self, start: Start[T]) -> T:
        """Run a transition as one transaction of its own; when this returns, it is committed. Once begun it goes on
        to its end, also when nobody waits for it any more."""


class ThreadedDb(Db, Protocol):
    """A `Db` that threads without an event loop may use too."""

    def read_sync(self, start: Start[T]) -> T:
        """See `Db.read`."""

    def write_sync(self, start: Start[T]) -> T:
        """See `Db.write`."""

    async def close(self) -> None:
        """Wait for the writes under way, then close. May be called twice."""
