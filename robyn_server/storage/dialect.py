"""What databases disagree on, and nothing else. Statements are written once, against this list. SQLite's answers
stand here, PostgreSQL's in `dialect_postgres.py`.

Placeholders are `?` everywhere (a driver for another database translates them), so no statement may hold a
literal `?` or `%`. `IS DISTINCT FROM`, `ON CONFLICT`, `RETURNING` and `WHERE flag` are spelled so that both
SQLite (3.35) and PostgreSQL read them.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Literal, Protocol

import orjson

from robyn_server.resources.types import Json
from robyn_server.storage.encryption.cipher import CLEAR, Cipher


class Dialect(Protocol):
    """One database's answers. Values that go in pass `moment`, `json` or `private`; values that come out pass the
    `read_` twin. None is NULL both ways. What is private is JSON too, sealed where the operator wants encryption;
    rows from before that are read as well."""

    name: Literal["sqlite", "postgres"]
    lock: str
    """Ends a SELECT that locks its rows for the rest of the transaction."""
    hold: str
    """Ends a SELECT that keeps its rows from being deleted for the rest of the transaction."""
    enter: str
    """SQL expression over a row of `thread`: whether no other server holds the thread's lock
    (`interfaces.ThreadLocks`), nor will for the rest of the transaction. Empty where there are no other servers."""
    skip_locked: str
    """The same, passing over rows that somebody else has locked."""
    now: str
    """SQL expression: the present moment, the same for a whole transition."""
    members: str
    """SQL after IN: the strings in a list that is one JSON parameter."""
    numbers: str
    """The same for whole numbers."""
    cipher: Cipher
    """What private columns are sealed with."""
    vectors: str | None
    """The schema (quoted) of the type `vector` and of its operators, where the database compares vectors itself: the
    table `item_vector` has a column `meaning` then."""
    types: Mapping[str, str]
    """Column types for `schema.py` (text, json, time, flag, bytes, real, serial, and unique_serial that never
    gives a number twice) and what else differs in it:
    `busy_table` ends a table whose rows change all the time, `keyed_table` one that is nothing but its key,
    `null_first` stands behind a column that may be NULL in an index, `vector_table` is the store's first name for its
    vectors."""
    pin: str
    """A statement that holds the planner to the indexes of `schema.py` for the rest of the transaction; empty
    where `by` does."""

    def by(self, index: str) -> str:
        """SQL after a table's name: read it by this index, whatever the planner thinks."""

    def null_least(self, descending: bool) -> str:
        """SQL after an order's direction: NULL is less than everything."""

    def drop_with(self, kind: str) -> tuple[str, ...]:
        """Statements that make the rows of `meta_index` go with a row of the table `kind`."""

    def most(self, table: str) -> str:
        """SQL expression: about how many rows a table has, rather more than fewer."""

    def plus(self, seconds: str) -> str:
        """SQL expression: `now` plus a number of seconds, itself an SQL expression such as `?`."""

    def moment(self, value: datetime | None) -> Any:
        """A time as a parameter."""

    def read_moment(self, raw: Any) -> datetime | None:
        """A time column as an aware UTC datetime."""

    def json(self, value: Json) -> Any:
        """JSON as a parameter; None is NULL, not the JSON `null`."""

    def json_bytes(self, value: bytes | None) -> Any:
        """JSON that is encoded already, as a parameter."""

    def read_json(self, raw: Any) -> Json:
        """A JSON column, parsed."""

    def private(self, value: Json) -> Any:
        """JSON as a parameter that nobody else shall read."""

    def private_bytes(self, value: bytes | None) -> Any:
        """The same for JSON that is encoded already."""

    def read_private(self, raw: Any) -> Json:
        """A private column, parsed. Raises `CannotOpen`."""

    def read_private_bytes(self, raw: Any) -> bytes | None:
        """A private column, unparsed. Raises `CannotOpen`."""


class SqliteDialect:
    """Times are REAL seconds since 1970, JSON is TEXT (a BLOB where it is sealed), flags are 0 and 1; BEGIN
    IMMEDIATE makes row locks needless.

    `clock_timestamp()` is a function that `sqlite_connection.py` registers on every connection: the host's clock with
    microseconds, which SQLite's own date functions lack.
    """

    name: Literal["sqlite", "postgres"] = "sqlite"
    lock = ""
    hold = ""
    enter = ""
    skip_locked = ""
    now = "clock_timestamp()"
    members = "(SELECT value FROM json_each(?))"
    numbers = members
    pin = ""
    vectors: str | None = None
    types: Mapping[str, str] = {
        "text": "TEXT",
        "json": "TEXT",
        "time": "REAL",
        "flag": "INTEGER",
        "bytes": "BLOB",
        "serial": "INTEGER PRIMARY KEY",
        "unique_serial": "INTEGER PRIMARY KEY AUTOINCREMENT",
        "real": "REAL",
        "busy_table": "",
        "keyed_table": "WITHOUT ROWID",
        "null_first": "",
        "vector_table": "vector",
    }

    def __init__(self, cipher: Cipher = CLEAR) -> None:
        self.cipher = cipher

    def by(self, index: str) -> str:
        """See `Dialect`."""
        return f"INDEXED BY {index}"

    def null_least(self, descending: bool) -> str:
        """See `Dialect`."""
        return ""

    def drop_with(self, kind: str) -> tuple[str, ...]:
        """See `Dialect`."""
        return (
            f"CREATE TRIGGER {kind}_meta_index AFTER DELETE ON {kind} BEGIN"
            f" DELETE FROM meta_index WHERE kind = '{kind}' AND id = OLD.{kind}_id; END",
        )

    def most(self, table: str) -> str:
        """See `Dialect`."""
        return f"(SELECT max(rowid) FROM {table})"

    def plus(self, seconds: str) -> str:
        """See `Dialect`."""
        return f"(clock_timestamp() + {seconds})"

    def moment(self, value: datetime | None) -> float | None:
        """See `Dialect`."""
        return None if value is None else value.timestamp()

    def read_moment(self, raw: float | None) -> datetime | None:
        """See `Dialect`."""
        return None if raw is None else datetime.fromtimestamp(raw, UTC)

    def json(self, value: Json) -> str | None:
        """See `Dialect`."""
        return None if value is None else orjson.dumps(value).decode()

    def json_bytes(self, value: bytes | None) -> str | None:
        """See `Dialect`."""
        return None if value is None else value.decode()

    def read_json(self, raw: str | None) -> Json:
        """See `Dialect`."""
        return None if raw is None else orjson.loads(raw)

    def read_json_bytes(self, raw: str | None) -> bytes | None:
        """See `Dialect`."""
        return None if raw is None else raw.encode()

    def private(self, value: Json) -> str | bytes | None:
        """See `Dialect`."""
        return None if value is None else self.private_bytes(orjson.dumps(value))

    def private_bytes(self, value: bytes | None) -> str | bytes | None:
        """See `Dialect`."""
        return self.cipher.seal(value) if self.cipher.seals and value is not None else self.json_bytes(value)

    def read_private(self, raw: str | bytes | None) -> Json:
        """See `Dialect`."""
        if raw == "{}":
            # What most rows hold in most such columns.
            return {}
        return None if raw is None else orjson.loads(self.cipher.open(raw) if isinstance(raw, bytes) else raw)

    def read_private_bytes(self, raw: str | bytes | None) -> bytes | None:
        """See `Dialect`."""
        return self.cipher.open(raw) if isinstance(raw, bytes) else self.read_json_bytes(raw)


def marks(count: int) -> str:
    """`?, ?, ?`: placeholders for a list of values."""
    return ", ".join("?" * count)
