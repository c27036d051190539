"""How the store's items are put, read and forgotten. Transitions.

Items are listed namespace by namespace, in the order in which the namespaces came, and within one in the order
in which the items came; overwriting keeps an item's place. A namespace lives as long as it has items.

Every namespace has an owner, "" for nobody's, and so has every item in it; several owners may call theirs the same. An
owner's are those that he wrote, and those of nobody that begin with his id. Where an `owner` is None, all are meant.
"""

from array import array
from collections.abc import Sequence
from typing import TypeAlias

import orjson
from langgraph.store.base import GetOp, Item, ListNamespacesOp, MatchCondition, PutOp

from robyn_server.storage.db import Row, Transition
from robyn_server.storage.dialect import Dialect
from robyn_server.storage.store.vectors_postgres import vector_text

Namespace: TypeAlias = tuple[str, ...]
Vector: TypeAlias = tuple[bytes, float]
"""float32 numbers, and their norm. The numbers are sealed with the values: they tell what is meant."""

FLOAT_BYTES = 4
SWEPT_AT_ONCE = 1_000

ITEM = "n.path, i.key, i.value, i.created_at, i.updated_at, i.seq, i.ns, i.ttl_minutes"


def alive(dialect: Dialect) -> str:
    """SQL test: the time of item `i` is not over."""
    return f"(i.expires_at IS NULL OR i.expires_at > {dialect.now})"


def path_of(namespace: Namespace, owner: str = "") -> str:
    """Each label with a period behind it, so that a prefix of labels is a prefix of the text; then a period and the
    owner, where the first label does not name him. Labels are not empty and hold no period."""
    labels = "".join(f"{label}." for label in namespace)
    return f"{labels}.{owner}" if owner and namespace[:1] != (owner,) else labels


def namespace_of(path: str) -> Namespace:
    """The labels that `path_of` was given."""
    return tuple(path.partition("..")[0].removesuffix(".").split("."))


def below(prefix: Namespace, owner: str | None) -> tuple[str, tuple[str, ...]]:
    """SQL and parameters: the owner's namespaces that begin with these labels."""
    if not prefix:
        if owner is None:
            return "TRUE", ()
        within, parameters = below((owner,), None)
        return f"(owner = ? OR (owner = '' AND {within}))", (owner, *parameters)
    path = path_of(prefix)
    # "/" is the character after the period.
    within, parameters = "path >= ? AND path < ?", (path, path[:-1] + "/")
    if owner is None:
        return within, parameters
    return f"owner IN (?, ?) AND {within}", (owner, "" if prefix[0] == owner else owner, *parameters)


def read_item(dialect: Dialect, row: Row) -> Item:
    """An item from the columns of ITEM."""
    path, key, value, *times = row[:5]
    created_at, updated_at = map(dialect.read_moment, times)
    assert created_at and updated_at, "the columns are NOT NULL"
    return Item(
        value=dialect.read_private(value),
        key=key,
        namespace=namespace_of(path),
        created_at=created_at,
        updated_at=updated_at,
    )


def get(dialect: Dialect, op: GetOp, owner: str | None) -> Transition[tuple[Item | None, list[int]]]:
    """The item, and its number when reading it counts as use. Of all owners' the one that is nobody's, if there is."""
    select = (
        f"SELECT {ITEM} FROM namespace n JOIN item i ON i.ns = n.ns WHERE i.key = ? AND {alive(dialect)} AND "
    )
    rows = yield f"{select}n.path = ?", (op.key, path_of(op.namespace, owner or ""))
    if not rows and owner is None:
        sql, parameters = _owned(op.namespace)
        rows = yield f"{select}{sql} ORDER BY n.path LIMIT 1", (op.key, *parameters)
    if not rows:
        return None, []
    return read_item(dialect, rows[0]), used(rows, op.refresh_ttl)


def _owned(namespace: Namespace) -> tuple[str, tuple[str, str]]:
    """SQL and parameters: the namespaces of this name whose path says the owner."""
    path = path_of(namespace)
    return "path >= ? AND path < ?", (f"{path}.", f"{path}/")


def used(rows: Sequence[Row], refresh: bool) -> list[int]:
    """The numbers of those rows (of ITEM) whose time to live begins anew by being read."""
    return [row[5] for row in rows if refresh and row[7] is not None]


def refresh(dialect: Dialect, seqs: list[int]) -> Transition[None]:
    """Begin the time to live of these items anew."""
    yield (
        f"UPDATE item SET expires_at = {dialect.plus('ttl_minutes * 60')}"
        f" WHERE ttl_minutes IS NOT NULL AND seq IN {dialect.numbers}",
        (orjson.dumps(seqs).decode(),),
    )


def put(
    dialect: Dialect,
    op: PutOp,
    value: bytes | None,
    vectors: Sequence[Vector],
    embedding: int,
    owner: str | None,
) -> Transition[None]:
    """Create, replace or (`value`, which is JSON, None) delete an item: the one that `get` gives. A new one of no owner
    is nobody's. `embedding`: what made the vectors."""
    path, ns = yield from _place(dialect, op, owner)
    if value is None:
        if ns is not None:
            rows = yield "DELETE FROM item WHERE key = ? AND ns = ? RETURNING ns", (op.key, ns)
            yield from _drop_empty([emptied for (emptied,) in rows])
        return
    if ns is None:
        rows = yield (
            "INSERT INTO namespace(path, owner) VALUES (?, ?)"
            " ON CONFLICT (path) DO UPDATE SET path = excluded.path RETURNING ns",
            (path, owner or ""),
        )
        ns = rows[0][0]
    # What is over but not swept yet is no longer there: the new item is not its successor.
    yield f"DELETE FROM item WHERE ns = ? AND key = ? AND expires_at <= {dialect.now}", (ns, op.key)
    rows = yield (
        "INSERT INTO item(ns, key, created_at, updated_at, ttl_minutes, expires_at, value, paths, embedding)"
        f" VALUES (?, ?, {dialect.now}, {dialect.now}, ?, {dialect.plus('? * 60')}, ?, ?, ?)"
        " ON CONFLICT (ns, key) DO UPDATE SET updated_at = excluded.updated_at, value = excluded.value,"
        " ttl_minutes = excluded.ttl_minutes, expires_at = excluded.expires_at, paths = excluded.paths,"
        " embedding = excluded.embedding RETURNING seq",
        (
            *(ns, op.key, op.ttl, op.ttl, dialect.private_bytes(value)),
            *(None if op.index is None else orjson.dumps(op.index).decode(), embedding),
        ),
    )
    yield from replace_vectors(dialect, rows[0][0], ns, vectors, embedding)


def replace_vectors(
    dialect: Dialect, seq: int, ns: int, vectors: Sequence[Vector], embedding: int
) -> Transition[None]:
    """Give an item other vectors."""
    yield "DELETE FROM item_vector WHERE seq = ?", (seq,)
    columns = "seq, ns, dims, norm, data, embedding"
    for data, norm in vectors:
        row = (seq, ns, len(data) // FLOAT_BYTES, norm, dialect.cipher.seal(data), embedding)
        if dialect.vectors is None:
            yield f"INSERT INTO item_vector({columns}) VALUES (?, ?, ?, ?, ?, ?)", row
        else:
            yield (
                f"INSERT INTO item_vector({columns}, meaning)"
                f" VALUES (?, ?, ?, ?, ?, ?, ?::{dialect.vectors}.vector)",
                (*row, vector_text(array("f", data))),
            )


def _place(dialect: Dialect, op: PutOp, owner: str | None) -> Transition[tuple[str, int | None]]:
    """Path and number of the namespace to write to; no number when it is not there yet."""
    path = path_of(op.namespace, owner or "")
    if owner is not None:
        rows = yield "SELECT ns, owner FROM namespace WHERE path = ?", (path,)
        if rows and rows[0][1] != owner:
            yield "UPDATE namespace SET owner = ? WHERE ns = ?", (owner, rows[0][0])
        return path, rows[0][0] if rows else None
    sql, parameters = _owned(op.namespace)
    rows = yield (
        f"SELECT path, ns FROM namespace WHERE path = ? OR ({sql}) ORDER BY path",
        (path, *parameters),
    )
    plain: int | None = rows[0][1] if rows and rows[0][0] == path else None
    for place, ns in rows:
        if len(rows) == 1 and ns == plain:
            break
        there = yield (
            f"SELECT 1 FROM item i WHERE i.ns = ? AND i.key = ? AND {alive(dialect)}",
            (ns, op.key),
        )
        if there:
            return place, ns
    return path, plain


def is_owner(label: str) -> Transition[bool]:
    """Whether somebody of this name has written to the store, and has something there."""
    rows = yield "SELECT 1 FROM namespace WHERE owner = ? LIMIT 1", (label,)
    return bool(rows)


def sweep(dialect: Dialect) -> Transition[int]:
    """Delete items whose time is over, at most SWEPT_AT_ONCE; how many."""
    rows = yield (
        "DELETE FROM item WHERE seq IN"
        f" (SELECT seq FROM item WHERE expires_at <= {dialect.now} LIMIT ?) RETURNING ns",
        (SWEPT_AT_ONCE,),
    )
    yield from _drop_empty(sorted({ns for (ns,) in rows}))
    return len(rows)


def _drop_empty(namespaces: Sequence[int]) -> Transition[None]:
    for ns in namespaces:
        yield "DELETE FROM namespace WHERE ns = ? AND NOT EXISTS (SELECT 1 FROM item WHERE ns = ?)", (ns, ns)


def list_namespaces(dialect: Dialect, op: ListNamespacesOp, owner: str | None) -> Transition[list[Namespace]]:
    """Namespaces in use, sorted; those cut to the same labels appear once."""
    conditions = op.match_conditions or ()
    sql, parameters = below(_plain_prefix(conditions), owner)
    rows = yield (
        f"SELECT path FROM namespace n WHERE {sql}"
        f" AND EXISTS (SELECT 1 FROM item i WHERE i.ns = n.ns AND {alive(dialect)})",
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
