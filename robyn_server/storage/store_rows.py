"""The tables of the store, and how items are put, read and forgotten. Transitions on the store's own file.

Items are listed namespace by namespace, in the order in which the namespaces came, and within one in the order
in which the items came; overwriting keeps an item's place. A namespace lives as long as it has items.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TypeAlias

import orjson
from langgraph.store.base import GetOp, Item, ListNamespacesOp, MatchCondition, PutOp

from robyn_server.storage.db import Row, Transition
from robyn_server.storage.dialect import Dialect

Namespace: TypeAlias = tuple[str, ...]
Vector: TypeAlias = tuple[bytes, float]
"""float32 numbers, and their norm. The numbers are sealed with the values: they tell what is meant."""

FLOAT_BYTES = 4
SWEPT_AT_ONCE = 1_000

TABLES = (
    "CREATE TABLE namespace (ns INTEGER PRIMARY KEY AUTOINCREMENT, path TEXT NOT NULL UNIQUE)",
    """CREATE TABLE item (
        seq INTEGER PRIMARY KEY AUTOINCREMENT, ns INTEGER NOT NULL REFERENCES namespace, key TEXT NOT NULL,
        created_at REAL NOT NULL, updated_at REAL NOT NULL, ttl_minutes REAL, expires_at REAL,
        value TEXT NOT NULL, UNIQUE (ns, key))""",
    "CREATE INDEX item_order ON item(ns, seq)",
    "CREATE INDEX item_expires ON item(expires_at) WHERE expires_at IS NOT NULL",
    # An id never comes again (AUTOINCREMENT) and its vector never changes: store_vectors.py remembers them by it.
    """CREATE TABLE vector (
        id INTEGER PRIMARY KEY AUTOINCREMENT, seq INTEGER NOT NULL REFERENCES item ON DELETE CASCADE,
        ns INTEGER NOT NULL, dims INTEGER NOT NULL, norm REAL NOT NULL, data BLOB NOT NULL)""",
    "CREATE INDEX vector_ns ON vector(dims, ns, seq, id)",
    "CREATE INDEX vector_item ON vector(seq)",
)

ITEM = "n.path, i.key, i.value, i.created_at, i.updated_at, i.seq, i.ns, i.ttl_minutes"
ALIVE = "(i.expires_at IS NULL OR i.expires_at > clock_timestamp())"


def tables(_: Dialect) -> tuple[str, ...]:
    """The first step of the store's file."""
    return TABLES


def path_of(namespace: Namespace) -> str:
    """Each label with a period behind it, so that a prefix of labels is a prefix of the text. Labels hold no
    period."""
    return "".join(f"{label}." for label in namespace)


def namespace_of(path: str) -> Namespace:
    """The reverse of `path_of`."""
    return tuple(path.split(".")[:-1])


def below(prefix: Namespace) -> tuple[str, tuple[str, ...]]:
    """SQL and parameters: the namespaces that begin with these labels."""
    if not prefix:
        return "TRUE", ()
    path = path_of(prefix)
    # "/" is the character after the period.
    return "path >= ? AND path < ?", (path, path[:-1] + "/")


def read_item(dialect: Dialect, row: Row) -> Item:
    """An item from the columns of ITEM."""
    path, key, value, created_at, updated_at, *_ = row
    return Item(
        value=dialect.read_private(value),
        key=key,
        namespace=namespace_of(path),
        created_at=datetime.fromtimestamp(created_at, UTC),
        updated_at=datetime.fromtimestamp(updated_at, UTC),
    )


def get(dialect: Dialect, op: GetOp) -> Transition[tuple[Item | None, list[int]]]:
    """The item, and its number when reading it counts as use."""
    rows = yield (
        f"SELECT {ITEM} FROM namespace n JOIN item i ON i.ns = n.ns WHERE n.path = ? AND i.key = ? AND {ALIVE}",
        (path_of(op.namespace), op.key),
    )
    if not rows:
        return None, []
    return read_item(dialect, rows[0]), used(rows, op.refresh_ttl)


def used(rows: Sequence[Row], refresh: bool) -> list[int]:
    """The numbers of those rows (of ITEM) whose time to live begins anew by being read."""
    return [row[5] for row in rows if refresh and row[7] is not None]


def refresh(seqs: list[int]) -> Transition[None]:
    """Begin the time to live of these items anew."""
    yield (
        "UPDATE item SET expires_at = clock_timestamp() + ttl_minutes * 60"
        " WHERE ttl_minutes IS NOT NULL AND seq IN (SELECT value FROM json_each(?))",
        (orjson.dumps(seqs).decode(),),
    )


def put(dialect: Dialect, op: PutOp, value: bytes | None, vectors: Sequence[Vector]) -> Transition[None]:
    """Create, replace or (`value`, which is JSON, None) delete an item."""
    path = path_of(op.namespace)
    if value is None:
        rows = yield (
            "DELETE FROM item WHERE key = ? AND ns = (SELECT ns FROM namespace WHERE path = ?) RETURNING ns",
            (op.key, path),
        )
        yield from _drop_empty([ns for (ns,) in rows])
        return
    rows = yield "SELECT ns FROM namespace WHERE path = ?", (path,)
    if not rows:
        rows = yield "INSERT INTO namespace(path) VALUES (?) RETURNING ns", (path,)
    ns: int = rows[0][0]
    # What is over but not swept yet is no longer there: the new item is not its successor.
    yield "DELETE FROM item WHERE ns = ? AND key = ? AND expires_at <= clock_timestamp()", (ns, op.key)
    rows = yield (
        "INSERT INTO item(ns, key, created_at, updated_at, ttl_minutes, expires_at, value)"
        " VALUES (?, ?, clock_timestamp(), clock_timestamp(), ?, clock_timestamp() + ? * 60, ?)"
        " ON CONFLICT (ns, key) DO UPDATE SET updated_at = excluded.updated_at, value = excluded.value,"
        " ttl_minutes = excluded.ttl_minutes, expires_at = excluded.expires_at RETURNING seq",
        (ns, op.key, op.ttl, op.ttl, dialect.private_bytes(value)),
    )
    seq: int = rows[0][0]
    yield "DELETE FROM vector WHERE seq = ?", (seq,)
    for data, norm in vectors:
        yield (
            "INSERT INTO vector(seq, ns, dims, norm, data) VALUES (?, ?, ?, ?, ?)",
            (seq, ns, len(data) // FLOAT_BYTES, norm, dialect.cipher.seal(data)),
        )


def sweep() -> Transition[int]:
    """Delete items whose time is over, at most SWEPT_AT_ONCE; how many."""
    rows = yield (
        "DELETE FROM item WHERE seq IN"
        " (SELECT seq FROM item WHERE expires_at <= clock_timestamp() LIMIT ?) RETURNING ns",
        (SWEPT_AT_ONCE,),
    )
    yield from _drop_empty(sorted({ns for (ns,) in rows}))
    return len(rows)


def _drop_empty(namespaces: Sequence[int]) -> Transition[None]:
    for ns in namespaces:
        yield "DELETE FROM namespace WHERE ns = ? AND NOT EXISTS (SELECT 1 FROM item WHERE ns = ?)", (ns, ns)


def list_namespaces(op: ListNamespacesOp) -> Transition[list[Namespace]]:
    """Namespaces in use, sorted; those cut to the same labels appear once."""
    conditions = op.match_conditions or ()
    sql, parameters = below(_plain_prefix(conditions))
    rows = yield (
        f"SELECT path FROM namespace n WHERE {sql}"
        f" AND EXISTS (SELECT 1 FROM item i WHERE i.ns = n.ns AND {ALIVE})",
        parameters,
    )
    found = {
        namespace[: op.max_depth]
        for namespace in (namespace_of(path) for (path,) in rows)
        if all(_matches(condition, namespace) for condition in conditions)
    }
    return sorted(found)[op.offset : op.offset + op.limit]


def _plain_prefix(conditions: Sequence[MatchCondition]) -> Namespace:
    """The labels before the first wildcard of the first prefix asked for, which the index can find."""
    for condition in conditions:
        if condition.match_type == "prefix":
            path = condition.path
            return path[: path.index("*")] if "*" in path else path
    return ()


def _matches(condition: MatchCondition, namespace: Namespace) -> bool:
    path = condition.path
    if len(namespace) < len(path):
        return False
    labels = namespace[: len(path)] if condition.match_type == "prefix" else namespace[-len(path) :]
    return all(wanted in ("*", label) for wanted, label in zip(path, labels, strict=False))
