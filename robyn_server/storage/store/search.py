"""Search in the store: by filter, in the order of listing, or by meaning, best first.

A filter is `{field: wanted}`. A wanted object without operators matches an object that has at least those fields,
a wanted list one of the same length; operators are `$eq $ne $gt $gte $lt $lte`, all of which must hold.
"""

import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice

import orjson
from langgraph.store.base import Item, SearchItem, SearchOp

from robyn_server.resources.types import Json, JsonObject
from robyn_server.storage.db import Row, Transition
from robyn_server.storage.dialect import Dialect
from robyn_server.storage.store.rows import ITEM, alive, below, read_item, used
from robyn_server.storage.store.vectors import VectorIndex
from robyn_server.storage.store.vectors_postgres import nearest

PAGE = 256

_ORDERED: Mapping[str, Callable[[Json, Json], bool]] = {
    "$gt": operator.gt,
    "$gte": operator.ge,
    "$lt": operator.lt,
    "$lte": operator.le,
}
_OPERATORS = frozenset(_ORDERED) | {"$eq", "$ne"}


def check_filter(wanted: Json) -> None:
    """Raises `ValueError` for an operator that there is none of."""
    if isinstance(wanted, list | tuple):
        for part in wanted:
            check_filter(part)
    elif isinstance(wanted, dict):
        operators = any(key.startswith("$") for key in wanted)
        for key, part in wanted.items():
            if not operators:
                check_filter(part)
            elif key not in _OPERATORS:
                raise ValueError(f"Unsupported operator: {key}")


def matches(value: JsonObject, wanted: JsonObject | None) -> bool:
    """Whether an item's value passes a checked filter."""
    return all(_fits(value.get(field), part) for field, part in (wanted or {}).items())


def _fits(value: Json, wanted: Json) -> bool:
    if isinstance(wanted, dict):
        if any(key.startswith("$") for key in wanted):
            return all(_holds(name, value, limit) for name, limit in wanted.items())
        return isinstance(value, dict) and all(_fits(value.get(key), part) for key, part in wanted.items())
    if isinstance(wanted, list | tuple):
        same_length = isinstance(value, list) and len(value) == len(wanted)
        return same_length and all(_fits(*pair) for pair in zip(value, wanted, strict=True))
    return bool(value == wanted)


def _holds(name: str, value: Json, limit: Json) -> bool:
    if name in ("$eq", "$ne"):
        return bool(value == limit) is (name == "$eq")
    try:
        return _ORDERED[name](float(value), float(limit))
    except (TypeError, ValueError):
        # Words compare as words, such as dates; nothing is more or less than what is of another kind.
        both_words = isinstance(value, str) and isinstance(limit, str)
        return both_words and _ORDERED[name](value, limit)


def search(
    dialect: Dialect, op: SearchOp, query: Sequence[float] | None, index: VectorIndex, owner: str | None
) -> Transition[tuple[list[SearchItem], list[int]]]:
    """The owner's items found, and the numbers of those whose reading counts as use. `query` is the meaning looked
    for."""
    sql, parameters = below(op.namespace_prefix, owner)
    rows = yield f"SELECT ns FROM namespace WHERE {sql} ORDER BY ns", parameters
    namespaces = [ns for (ns,) in rows]
    if query is None:
        found = yield from _list(dialect, namespaces, op.filter, op.offset, op.limit)
        return [_found(dialect, row, None) for row in found], used(found, op.refresh_ttl)
    scored = yield from _by_meaning(dialect, namespaces, op, query, index)
    return [_found(dialect, row, score) for row, score in scored], used(
        [row for row, _ in scored], op.refresh_ttl
    )


def _found(dialect: Dialect, row: Row, score: float | None) -> SearchItem:
    item: Item = read_item(dialect, row)
    return SearchItem(item.namespace, item.key, item.value, item.created_at, item.updated_at, score)


def _list(
    dialect: Dialect,
    namespaces: list[int],
    wanted: JsonObject | None,
    offset: int,
    limit: int,
    *,
    more: str = "",
) -> Transition[list[Row]]:
    """Rows of ITEM in the order of listing. `more` is SQL that they must fulfil."""
    found: list[Row] = []
    place, size = (0, 0), limit + offset if not wanted else PAGE
    while len(found) < offset + limit:
        page = yield (
            # CROSS JOIN keeps SQLite's index of items outside, which lies in the order asked for.
            f"SELECT {ITEM} FROM item i CROSS JOIN namespace n WHERE n.ns = i.ns AND i.ns IN {dialect.numbers}"
            f" AND (i.ns > ? OR i.seq > ?) AND {alive(dialect)}{more}"
            " ORDER BY i.ns, i.seq LIMIT ?",
            (orjson.dumps([ns for ns in namespaces if ns >= place[0]]).decode(), *place, size),
        )
        found += (
            page if not wanted else [row for row in page if matches(dialect.read_private(row[2]), wanted)]
        )
        if len(page) < size:
            break
        place, size = (page[-1][6], page[-1][5]), 4 * size
    return found[offset : offset + limit]


def _by_meaning(
    dialect: Dialect, namespaces: list[int], op: SearchOp, query: Sequence[float], index: VectorIndex
) -> Transition[list[tuple[Row, float | None]]]:
    """What has a meaning, best first, then what has none."""
    need = op.offset + op.limit
    if dialect.vectors is None:
        of_item = yield from _vectors(dialect, namespaces, op.filter, index.embedding)
        best = yield from index.best(dialect, query, of_item, need)
    else:
        fit = (yield from _vectors(dialect, namespaces, op.filter, index.embedding)) if op.filter else None
        among = None if fit is None else list(fit)
        best = yield from nearest(dialect, namespaces, among, query, need, index.embedding)
    rows = yield from _load(dialect, [seq for seq, _ in best])
    scored: list[tuple[Row, float | None]] = [(rows[seq], score) for seq, score in best]
    if len(best) < need:
        # A server without pgvector beside us stores vectors that `nearest` cannot compare until the next start.
        compared = "" if dialect.vectors is None else " AND v.meaning IS NOT NULL"
        theirs = (
            f"SELECT 1 FROM item_vector v WHERE v.seq = i.seq AND v.embedding = {index.embedding}{compared}"
        )
        silent = f" AND NOT EXISTS ({theirs})"
        rest = yield from _list(dialect, namespaces, op.filter, 0, need - len(best), more=silent)
        scored += [(row, None) for row in rest]
    return scored[op.offset : need]


def _vectors(
    dialect: Dialect, namespaces: list[int], wanted: JsonObject | None, embedding: int
) -> Transition[dict[int, int]]:
    """Vector -> item, in the order of listing, of every item that passes the filter."""
    rows = yield (
        f"SELECT id, seq FROM item_vector WHERE embedding = ? AND ns IN {dialect.numbers}"
        f" AND seq NOT IN (SELECT seq FROM item WHERE expires_at <= {dialect.now}) ORDER BY ns, seq, id",
        (embedding, orjson.dumps(namespaces).decode()),
    )
    if not wanted:
        return dict(rows)
    fit: set[int] = set()
    for seqs in _in_pages(list(dict.fromkeys(seq for _, seq in rows))):
        values = yield (
            f"SELECT seq, value FROM item WHERE seq IN {dialect.numbers}",
            (orjson.dumps(seqs).decode(),),
        )
        fit.update(seq for seq, value in values if matches(dialect.read_private(value), wanted))
    return {vector: seq for vector, seq in rows if seq in fit}


def _in_pages(seqs: list[int]) -> Iterator[list[int]]:
    left = iter(seqs)
    while page := list(islice(left, 4 * PAGE)):
        yield page


def _load(dialect: Dialect, seqs: list[int]) -> Transition[dict[int, Row]]:
    rows = yield (
        f"SELECT {ITEM} FROM item i JOIN namespace n ON n.ns = i.ns WHERE i.seq IN {dialect.numbers}",
        (orjson.dumps(seqs).decode(),),
    )
    return {row[5]: row for row in rows}
