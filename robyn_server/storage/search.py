"""Every search and count: conditions, metadata containment, order and paging.

What SQL can say exactly is said in SQL, so a page is a fixed number of short statements. The rest (the `values` of a
thread, an empty object inside metadata) is tested in Python over growing batches of
candidates, in the wanted order, until the page is full. Rows are tested in Python in either case: who may see what
does not hang on an index alone.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from robyn_server.resources.metadata_filter import MetadataFilter, contains
from robyn_server.resources.page import Page
from robyn_server.resources.types import JsonObject
from robyn_server.storage.db import Row, Transition
from robyn_server.storage.dialect import Dialect
from robyn_server.storage.meta_conditions import (
    EVERYTHING,
    Looked,
    Needs,
    Sizes,
    every,
    needs_of,
    needs_of_part,
)
from robyn_server.storage.meta_index import Kind

Item = TypeVar("Item")

FEW = 1000
"""With fewer matches than this of one metadata value, they are fetched and sorted; else the order's index is
walked."""
DENSE = 4
"""When every fourth row matches, the walk is over soon, and at worst looks at a few thousand rows."""

SMALLEST_BATCH = 100
LARGEST_BATCH = 2000
MOST_LEAVES = 60
"""Metadata values that are looked up; a test with more of them is left to Python."""

_MATCHES = (
    "(SELECT count(*) FROM (SELECT 1 FROM meta_index WHERE kind = ? AND path = ? AND value = ?"
    " LIMIT {enough}) few)"
)
_ENOUGH = (
    f"(SELECT CASE WHEN m.most <= {FEW * DENSE} THEN m.most / {DENSE} + 1 ELSE {FEW} END"
    " FROM (SELECT {most} AS most) m)"
)
"""How many matches need to be counted: as many as make the order's index worth walking."""
_NULLABLE = frozenset({"t.state_updated_at", "t.thread_id", "t.next_run_at", "t.end_time"})


@dataclass(frozen=True, slots=True)
class Wanted(Generic[Item]):
    """What a search looks for. The table is called `t` in `columns`, `order` and the conditions."""

    kind: Kind
    columns: str
    read: Callable[[Row], Item]
    metadata_of: Callable[[Item], JsonObject]
    conditions: Sequence[tuple[str, Sequence[Any]]]
    """`(SQL, parameters)`, and-ed."""
    metadata: JsonObject
    visible: MetadataFilter
    order: Sequence[str] = ()
    """Expressions, the id not among them."""
    descending: bool = True
    oldest_first: bool = False
    """How ties are broken: whichever the direction by the time of creation, or in the same direction by the id."""
    hidden: str = ""
    """SQL after IN: ids that nobody sees. Asked apart from the conditions, for it needs nothing but the id."""
    test: Callable[[Item], bool] | None = None
    """A condition that SQL cannot say."""

    @property
    def key(self) -> str:
        """The column of the id."""
        return f"t.{self.kind}_id"

    def accepts(self, item: Item) -> bool:
        """Whether an item is what was asked for, and may be seen."""
        metadata = self.metadata_of(item)
        return (
            (not self.metadata or contains(metadata, self.metadata))
            and self.visible.allows(metadata)
            and (self.test is None or self.test(item))
        )

    def looked(self) -> Looked:
        """What the index can say of the metadata."""
        # Those that count most come first.
        asked = [needs_of_part(self.kind, part) for part in (self.metadata, self.visible.equal) if part]
        if self.visible.rest is not None:
            asked.append(needs_of(self.kind, self.visible.rest))
        needs: Needs = EVERYTHING
        exact = self.test is None
        for one in asked:
            joined = every((needs, one.needs))
            fits = len(set(joined.leaves())) <= MOST_LEAVES
            needs, exact = (joined, exact and one.exact) if fits else (needs, False)
        return Looked(needs, exact)


@dataclass(frozen=True, slots=True)
class _Source:
    """FROM and WHERE of a search, or nothing at all when an index already says that nothing matches."""

    sql: str
    parameters: list[Any]
    empty: bool = False


def search(dialect: Dialect, wanted: Wanted[Item], limit: int, offset: int) -> Transition[Page[Item]]:
    """One page; `more` says whether others follow."""
    looked = wanted.looked()
    source = yield from _source(dialect, wanted, looked.needs)
    if source.empty:
        return Page((), more=False)
    if looked.exact:
        found = yield from _fetch(dialect, wanted, source, limit + 1, offset)
        return _page([item for item in found if wanted.accepts(item)], len(found) > limit, limit)
    accepted = yield from _accepted(dialect, wanted, source, offset + limit + 1)
    return _page(accepted[offset:], len(accepted) > offset + limit, limit)


def count(dialect: Dialect, wanted: Wanted[Item]) -> Transition[int]:
    """How many match."""
    looked = wanted.looked()
    source = yield from _source(dialect, wanted, looked.needs, ordered=not looked.exact)
    if source.empty:
        return 0
    if looked.exact:
        rows = yield f"SELECT count(*) FROM {source.sql}", source.parameters
        return int(rows[0][0])
    return len((yield from _accepted(dialect, wanted, source, None)))


def _page(items: Sequence[Item], more: bool, limit: int) -> Page[Item]:
    return Page(tuple(items[:limit]), more)


def _accepted(
    dialect: Dialect, wanted: Wanted[Item], source: _Source, most: int | None
) -> Transition[list[Item]]:
    accepted: list[Item] = []
    offset, size = 0, SMALLEST_BATCH
    while True:
        batch = yield from _fetch(dialect, wanted, source, size, offset)
        accepted += [item for item in batch if wanted.accepts(item)]
        if len(batch) < size or (most is not None and len(accepted) >= most):
            return accepted[:most]
        offset, size = offset + size, min(size * 4, LARGEST_BATCH)


def _fetch(
    dialect: Dialect, wanted: Wanted[Item], source: _Source, limit: int, offset: int
) -> Transition[list[Item]]:
    direction = "DESC" if wanted.descending else "ASC"
    nulls = dialect.null_least(wanted.descending)
    order = ", ".join(
        f"{expression} {direction}{nulls if expression in _NULLABLE else ''}" for expression in wanted.order
    )
    ties = f"t.created_at, {wanted.key}" if wanted.oldest_first else f"{wanted.key} {direction}"
    order = f"{order}, {ties}" if order else ties
    # Ids first, so that no large column passes through a sort.
    rows = yield (
        f"SELECT {wanted.columns} FROM {wanted.kind} t WHERE {wanted.key} IN ("
        f"SELECT {wanted.key} FROM {source.sql} ORDER BY {order} LIMIT ? OFFSET ?) ORDER BY {order}",
        [*source.parameters, limit, offset],
    )
    return [wanted.read(row) for row in rows]


def _source(
    dialect: Dialect, wanted: Wanted[Item], needs: Needs, *, ordered: bool = True
) -> Transition[_Source]:
    """`ordered` False: all matches are wanted, so there is nothing to gain from walking an order's index."""
    if needs == EVERYTHING:
        return _walk(wanted, needs)
    leaves = list(dict.fromkeys(needs.leaves()))
    most_sql = dialect.most(wanted.kind)
    matches = _MATCHES.format(enough=_ENOUGH.format(most=most_sql))
    rows = yield (
        f"SELECT {', '.join([*[matches] * len(leaves), most_sql])}",
        [cell for leaf in leaves for cell in (leaf.kind, leaf.path, leaf.value)],
    )
    *counts, most = rows[0]
    sizes: Sizes = dict(zip(leaves, counts, strict=True))
    fewest = needs.size(sizes)
    if fewest == 0:
        return _Source("", [], empty=True)
    if ordered and (fewest >= FEW or fewest * DENSE >= most):
        return _walk(wanted, needs)
    return _drive(wanted, needs, sizes, joined=ordered or bool(wanted.conditions))


def _walk(wanted: Wanted[Any], needs: Needs) -> _Source:
    """Every row of the table is looked at, in whatever order is asked for."""
    where, parameters = [sql for sql, _ in wanted.conditions], _values(wanted)
    if wanted.hidden:
        where.append(f"{wanted.key} NOT IN {wanted.hidden}")
    if needs != EVERYTHING:
        probed, more = needs.probe(wanted.key)
        where, parameters = [*where, probed], [*parameters, *more]
    return _Source(
        f"{wanted.kind} t WHERE {' AND '.join(where)}" if where else f"{wanted.kind} t", parameters
    )


def _drive(wanted: Wanted[Any], needs: Needs, sizes: Sizes, *, joined: bool) -> _Source:
    """Only the rows that the index names are looked at."""
    ids, parameters = needs.ids(sizes)
    seen = [f"d.id NOT IN {wanted.hidden}"] if wanted.hidden else []
    if not joined:
        return _Source(f"({ids}) d{' WHERE ' if seen else ''}{''.join(seen)}", parameters)
    where = [f"{wanted.key} = d.id", *seen, *(sql for sql, _ in wanted.conditions)]
    # CROSS JOIN keeps SQLite from turning the loops round.
    return _Source(
        f"({ids}) d CROSS JOIN {wanted.kind} t WHERE {' AND '.join(where)}",
        [*parameters, *_values(wanted)],
    )


def _values(wanted: Wanted[Any]) -> list[Any]:
    return [value for _, values in wanted.conditions for value in values]
