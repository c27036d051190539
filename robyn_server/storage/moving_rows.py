"""Rows of a data directory's tables as PostgreSQL takes them."""

import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from robyn_server.storage.checkpoints.encoding import SEALED_METADATA, sealed_metadata
from robyn_server.storage.checkpoints.rows import SLOT, WRITE
from robyn_server.storage.checkpoints.values import SEALED, Value, opened_value, sealed_value
from robyn_server.storage.dialect_postgres import PostgresDialect, sealed_text
from robyn_server.storage.encryption.cipher import KEY_ID_BYTES, Cipher
from robyn_server.storage.encryption.context import SEALING_CONTEXT
from robyn_server.storage.store.rows import FLOAT_BYTES

PRIVATE: Mapping[str, frozenset[str]] = {
    "thread": frozenset({"config", "error", "interrupts", "values"}),
    "run": frozenset({"kwargs", "error"}),
    "cron": frozenset({"payload"}),
    "item": frozenset({"value"}),
}
"""Columns that pass `Dialect.private`, by table."""

Row = Sequence[Any]


@dataclass(frozen=True, slots=True)
class Column:
    """One of the target."""

    name: str
    kind: str
    """As information_schema calls its type."""


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows, read while they are taken, and the names of their columns."""

    columns: Sequence[str]
    rows: Iterator[Row]


def rows_of(
    source: sqlite3.Connection, table: str, columns: Sequence[Column], cipher: Cipher, keys: Path
) -> Rows:
    """The rows of a table. `columns` are those of the target; those that the source lacks are left out. `keys` is the
    file of data keys."""
    match table:
        case "checkpoints":
            return Rows(_CHECKPOINTS, _checkpoints(source, cipher))
        case "checkpoint_blobs":
            return Rows(_BLOBS, _blobs(source, cipher, keys))
        case "checkpoint_writes":
            return Rows(_names(WRITE), _written(source, WRITE, "checkpoint_writes", cipher))
        case "write_undo":
            rows = _written(source, _UNDO, "write_undo", cipher)
            return Rows(_names(_UNDO), ((seq, run, bool(had), *rest) for seq, run, had, *rest in rows))
        case "item_vector":
            return Rows(_names(_VECTORS), _vectors(source, cipher))
    known = {row[1] for row in source.execute(f"PRAGMA table_info({table})")}
    shared = [column for column in columns if column.name in known]
    return Rows([column.name for column in shared], _plain(source, table, shared, cipher))


def _plain(
    source: sqlite3.Connection, table: str, columns: Sequence[Column], cipher: Cipher
) -> Iterator[Row]:
    dialect, private = PostgresDialect(cipher), PRIVATE.get(table, frozenset())
    converters = [_converter(column, column.name in private, dialect) for column in columns]
    names = ", ".join(f'"{column.name}"' for column in columns)
    for row in source.execute(f"SELECT {names} FROM {table}"):
        yield [None if raw is None else convert(raw) for convert, raw in zip(converters, row, strict=True)]


def _converter(column: Column, private: bool, dialect: PostgresDialect) -> Callable[[Any], Any]:
    if private:
        return lambda raw: sealed_text(raw) if isinstance(raw, bytes) else dialect.private_bytes(raw.encode())
    return _CONVERTERS.get(column.kind, _same)


def _same(raw: Any) -> Any:
    return raw


_CONVERTERS: Mapping[str, Callable[[Any], Any]] = {
    "timestamp with time zone": lambda raw: datetime.fromtimestamp(raw, UTC),
    "boolean": bool,
    # The one character that SQLite keeps in a text and PostgreSQL does not.
    "text": lambda raw: raw.replace("\0", ""),
}

_VECTORS = "id, seq, ns, embedding, dims, norm, data"


def _vectors(source: sqlite3.Connection, cipher: Cipher) -> Iterator[Row]:
    for *row, dims, norm, data in source.execute(f"SELECT {_VECTORS} FROM item_vector"):
        clear = len(data) == FLOAT_BYTES * dims
        yield (*row, dims, norm, cipher.seal(data) if clear and cipher.seals else data)


_CHECKPOINTS = (
    "thread_id",
    "checkpoint_ns",
    "checkpoint_id",
    "parent_checkpoint_id",
    "checkpoint",
    "metadata",
)


def _checkpoints(source: sqlite3.Connection, cipher: Cipher) -> Iterator[Row]:
    for *place, run_id, checkpoint, metadata in source.execute(
        "SELECT thread_id, checkpoint_ns, checkpoint_id, parent_checkpoint_id, run_id, checkpoint, metadata"
        " FROM checkpoints"
    ):
        whole = {**json.loads(checkpoint), "channel_values": {}}
        told = _metadata(cipher, json.loads(metadata), place[0], run_id)
        yield (*place, json.dumps(whole), json.dumps(_fit(told)))


def _metadata(cipher: Cipher, stored: dict[str, Any], thread_id: str, run_id: str | None) -> dict[str, Any]:
    shown = {} if run_id is None else {"run_id": run_id}
    if SEALED_METADATA in stored:
        return {**stored, **shown}
    if cipher.seals:
        return {**sealed_metadata(cipher, stored), **shown}
    if "thread_id" in stored:
        stored["thread_id"] = thread_id
    return stored


def _fit(value: Any) -> Any:
    """What JSONB takes: no NaN, no infinity, no NUL."""
    if isinstance(value, dict):
        return {_fit(key): _fit(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_fit(part) for part in value]
    if isinstance(value, float) and not abs(value) < float("inf"):
        return None
    return value.replace("\0", "") if isinstance(value, str) else value


_BLOBS = ("thread_id", "checkpoint_ns", "channel", "version", "type", "blob")


def _blobs(source: sqlite3.Connection, cipher: Cipher, keys: Path) -> Iterator[Row]:
    for *place, kind, blob, log, length in source.execute(
        "SELECT thread_id, checkpoint_ns, channel, version, type, blob, log, length FROM checkpoint_blobs"
    ):
        if log is None:
            yield (*place, *_sealed(cipher, (kind, blob)))
        else:
            chunks = source.execute(
                "SELECT data FROM checkpoint_chunks WHERE log = ? AND at < ? ORDER BY at", (log, length)
            )
            yield (*place, *_joined(cipher, (kind, blob), (data for (data,) in chunks), length, keys))


def _joined(cipher: Cipher, head: Value, chunks: Iterable[bytes], length: int, keys: Path) -> Value:
    """A value in one piece; sealed for whom its head was sealed."""
    kind, start = opened_value(cipher, head)
    was_sealed = head[0].endswith(SEALED)
    rest = b"".join(cipher.open(chunk) if was_sealed else chunk for chunk in chunks)
    value = (kind, start + rest[:length])
    if not was_sealed:
        return sealed_value(cipher, value)
    before = SEALING_CONTEXT.set(_context_of(head[1], keys))
    try:
        return sealed_value(cipher, value)
    finally:
        SEALING_CONTEXT.reset(before)


def _context_of(sealed: bytes, keys: Path) -> str:
    with closing(sqlite3.connect(keys)) as connection:
        row = connection.execute(
            "SELECT context FROM data_key WHERE key_id = ?", (sealed[1 : 1 + KEY_ID_BYTES],)
        ).fetchone()
    return str(row[0]) if row else "{}"


_UNDO = f"seq, run_id, existed, {SLOT}, task_path, channel, type, blob"


def _written(source: sqlite3.Connection, columns: str, table: str, cipher: Cipher) -> Iterator[Row]:
    for *place, kind, blob in source.execute(f"SELECT {columns} FROM {table}"):
        yield (*place, *((kind, blob) if blob is None else _sealed(cipher, (kind, blob))))


def _sealed(cipher: Cipher, stored: Value) -> Value:
    return stored if stored[0].endswith(SEALED) else sealed_value(cipher, stored)


def _names(columns: str) -> list[str]:
    return columns.split(", ")
