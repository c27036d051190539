"""Connections to SQLite as all of ours are, transitions on them, and what their trouble means to a caller."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, TypeVar

from robyn_server.errors import Unavailable
from robyn_server.storage.db import Row, Start

T = TypeVar("T")

_FULL = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR}
_IN_USE = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL}
_TROUBLE = _FULL | _IN_USE | {sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_NOMEM}


class Connection(sqlite3.Connection):
    """Knows the moment when the transition under way began: SQLite would ask the clock anew for each place in a
    statement that names it."""

    moment: float = 0.0
    calls: int = 0
    """Of `is_long`, in the transition under way."""

    def is_long(self) -> bool:
        """Asked every so many steps, counted over all that a statement has ever done: the first time may come at
        once."""
        self.calls += 1
        return self.calls > 1


def connect(
    path: Path, *, synchronous: Literal["OFF", "NORMAL", "FULL"] = "NORMAL", shrinkable: bool = False
) -> Connection:
    """A connection as all of ours are: WAL, no implicit transactions, usable from any one thread at a time. A
    `shrinkable` file (to be said when it is made) gives pages back by `PRAGMA incremental_vacuum`."""
    connection = sqlite3.connect(
        path,
        isolation_level=None,
        check_same_thread=False,
        timeout=10,
        cached_statements=256,
        factory=Connection,
    )
    # The timeout first: two processes that open a new file together would else refuse one another.
    for pragma in (
        "busy_timeout = 10000",
        *(["auto_vacuum = INCREMENTAL"] if shrinkable else []),
        "journal_mode = WAL",
        f"synchronous = {synchronous}",
        "foreign_keys = ON",
        "cache_size = -32000",
        "temp_store = MEMORY",
        "journal_size_limit = 67108864",
    ):
        connection.execute(f"PRAGMA {pragma}")
    # "deterministic" lets SQLite ask once for each statement instead of once for each row.
    connection.create_function("clock_timestamp", 0, lambda: connection.moment, deterministic=True)
    return connection


def run_transition(connection: Connection, start: Start[T]) -> T:
    """Run a transition inside whatever transaction the connection is in."""
    connection.moment = time.time()
    transition = start()
    rows: list[Row] = []
    try:
        sql, parameters = next(transition)
        while True:
            rows = connection.execute(sql, parameters).fetchall()
            sql, parameters = transition.send(rows)
    except StopIteration as stop:
        result: T = stop.value
        return result


def as_unavailable(error: BaseException) -> Unavailable | None:
    """What a caller is told when the database itself is in trouble; None for any other error."""
    if not isinstance(error, sqlite3.Error):
        return None
    code = _code(error)
    if code not in _TROUBLE:
        return None
    if code in _FULL:
        return Unavailable("The disk is full or does not take writes; nothing was changed.")
    if code in _IN_USE:
        return Unavailable("The database is in use by another process; nothing was changed.")
    return Unavailable(f"The database cannot be used: {error}.")


@contextmanager
def trouble_as_unavailable() -> Iterator[None]:
    """Around work on a database: its trouble is raised as `Unavailable`."""
    try:
        yield
    except sqlite3.Error as error:
        raise as_unavailable(error) or error from error


def is_in_use(error: sqlite3.Error) -> bool:
    """Whether another process holds the database."""
    return _code(error) in _IN_USE


def _code(error: sqlite3.Error) -> int:
    # The low byte is the primary code; errors made by the Python module itself carry none.
    return getattr(error, "sqlite_errorcode", 0) & 0xFF
