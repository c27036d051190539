"""Copies a data directory into PostgreSQL: everything or nothing. One transaction holds it all, so that a copy that is
cut off leaves an empty database; servers that start meanwhile wait, as they do while somebody migrates.

Rows travel one by one, in PostgreSQL's COPY: memory does not grow with the data. What is encrypted travels as it is,
and is read with the key that it was read with before; with a key and clear data the copy is encrypted.

Events of streams are not copied: they live for minutes.
"""

import asyncio
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import psycopg
from psycopg import sql

from robyn_server.errors import StartupError
from robyn_server.storage import opening
from robyn_server.storage.checkpoints.sqlite import CHECKPOINTS_FILE
from robyn_server.storage.encryption.cipher import Cipher
from robyn_server.storage.encryption.data_keys_sqlite import KEYS_FILE
from robyn_server.storage.encryption.key_check import CANARY, check_key, known_canary
from robyn_server.storage.migrations import APP_FILE, bring_up_to_date
from robyn_server.storage.migrations.postgres import DOCUMENTS_SCHEMA, LOCK, LOOK_AGAIN_SECONDS, migrate
from robyn_server.storage.moving_rows import Column, Rows, rows_of
from robyn_server.storage.postgres_connection import conninfo, place_of
from robyn_server.storage.sqlite_connection import connect
from robyn_server.storage.store.sql_store import DOCUMENTS_FILE, STORE_FILE

Connection: TypeAlias = psycopg.Connection[tuple[Any, ...]]
Say: TypeAlias = Callable[[str], None]

SPEAK_EVERY_SECONDS = 5.0

_STORE = ("embedding", "namespace", "item", "item_vector")


@dataclass(frozen=True, slots=True)
class _File:
    """One of the data directory's; its tables in an order that foreign keys allow, and their schema (None: where the
    database looks for tables)."""

    name: str
    tables: tuple[str, ...]
    schema: str | None = None


# The keys last: what is sealed on the way may need new ones.
FILES = (
    _File(APP_FILE, ("assistant", "assistant_version", "thread", "run", "cron", "meta_index")),
    _File(CHECKPOINTS_FILE, ("checkpoints", "checkpoint_blobs", "checkpoint_writes", "write_undo")),
    _File(STORE_FILE, _STORE),
    _File(DOCUMENTS_FILE, _STORE, DOCUMENTS_SCHEMA),
    _File(KEYS_FILE, ("data_key",)),
)


def move(data_dir: Path, uri: str, cipher: Cipher, say: Say) -> int:
    """Copy the data directory, which the caller holds, into an empty database; how many rows. `say` is told how far
    it is. Blocks. Raises `StartupError`; nothing is copied then."""
    for name, steps in opening.FILES.items():
        bring_up_to_date(data_dir / name, steps)
    check_key(data_dir / APP_FILE, cipher, claim=False)
    asyncio.run(migrate(uri))
    try:
        with psycopg.connect(conninfo(uri), autocommit=True) as target:
            _take_turn(target, say)
            with target.transaction():
                return _Move(data_dir, target, cipher, say).run()
    except (psycopg.Error, sqlite3.Error) as error:
        raise StartupError(f"Nothing was copied to {place_of(uri)}: {error}.") from error


def _take_turn(target: Connection, say: Say) -> None:
    waiting = False
    while not target.execute("SELECT pg_try_advisory_lock(%s)", (LOCK,)).fetchone() == (True,):
        if not waiting:
            say("Another process migrates this database: waiting for it.")
        waiting = True
        time.sleep(LOOK_AGAIN_SECONDS)


class _Move:
    def __init__(self, data_dir: Path, target: Connection, cipher: Cipher, say: Say) -> None:
        self._data_dir = data_dir
        self._target = target
        self._cipher = cipher
        self._say = say

    def run(self) -> int:
        self._refuse_what_is_not_empty()
        self._copy_canary()
        total = 0
        for file in FILES:
            with closing(connect(self._data_dir / file.name)) as source:
                for table in file.tables:
                    total += self._copy(source, file, table)
        self._target.execute("ANALYZE")
        return total

    def _refuse_what_is_not_empty(self) -> None:
        tables = [(file.schema, table) for file in FILES for table in file.tables]
        for schema, table in [*tables, (None, "sealed_with")]:
            if self._one(sql.SQL("SELECT EXISTS (SELECT 1 FROM {})"), schema, table):
                raise StartupError(
                    f"The database is not empty (table {table}): copy into a new one, on which no server has been"
                    " started yet."
                )

    def _copy_canary(self) -> None:
        """The copy asks for the key that the data asked for."""
        canary = known_canary(self._data_dir / APP_FILE)
        if canary is None and self._cipher.seals:
            canary = self._cipher.seal(CANARY)
        if canary is not None:
            self._target.execute("INSERT INTO sealed_with(canary) VALUES (%s)", (canary,))

    def _copy(self, source: sqlite3.Connection, file: _File, table: str) -> int:
        (expected,) = source.execute(f"SELECT count(*) FROM {table}").fetchone()
        rows = rows_of(
            source, table, self._columns(file.schema, table), self._cipher, self._data_dir / KEYS_FILE
        )
        name = f"{file.name} {table}"
        self._pour(rows, sql.Identifier(*_path(file.schema, table)), name, expected)
        self._go_on_counting(file.schema, table)
        found = self._one(sql.SQL("SELECT count(*) FROM {}"), file.schema, table)
        if found != expected:
            raise StartupError(f"Of {expected} rows of {name} {found} arrived: nothing was copied.")
        self._say(f"{name}: {expected:,} rows")
        return int(expected)

    def _pour(self, rows: Rows, place: sql.Identifier, name: str, expected: int) -> None:
        names = sql.SQL(", ").join(map(sql.Identifier, rows.columns))
        into = sql.SQL("COPY {} ({}) FROM STDIN").format(place, names)
        speak_at = time.monotonic() + SPEAK_EVERY_SECONDS
        with self._target.cursor() as cursor, cursor.copy(into) as copy:
            for count, row in enumerate(rows.rows, 1):
                copy.write_row(row)
                if time.monotonic() > speak_at:
                    self._say(f"{name}: {count:,} of {expected:,}")
                    speak_at = time.monotonic() + SPEAK_EVERY_SECONDS

    def _columns(self, schema: str | None, table: str) -> list[Column]:
        found = self._target.execute(
            "SELECT column_name, data_type FROM information_schema.columns"
            " WHERE table_schema = coalesce(%s, current_schema()) AND table_name = %s ORDER BY ordinal_position",
            (schema, table),
        )
        return [Column(*row) for row in found]

    def _go_on_counting(self, schema: str | None, table: str) -> None:
        """The next number that the database gives is a new one."""
        for column in self._identities(schema, table):
            statement = sql.SQL("SELECT setval(pg_get_serial_sequence({}, {}), max({})) FROM {}").format(
                ".".join(_path(schema, table)),
                column,
                sql.Identifier(column),
                sql.Identifier(*_path(schema, table)),
            )
            self._target.execute(statement)

    def _identities(self, schema: str | None, table: str) -> Iterator[str]:
        found = self._target.execute(
            "SELECT column_name FROM information_schema.columns WHERE is_identity = 'YES'"
            " AND table_schema = coalesce(%s, current_schema()) AND table_name = %s",
            (schema, table),
        )
        return (name for (name,) in found.fetchall())

    def _one(self, statement: sql.SQL, schema: str | None, table: str) -> Any:
        row = self._target.execute(statement.format(sql.Identifier(*_path(schema, table)))).fetchone()
        assert row is not None, "it asks for one row"
        return row[0]


def _path(schema: str | None, table: str) -> tuple[str, ...]:
    return (table,) if schema is None else (schema, table)
