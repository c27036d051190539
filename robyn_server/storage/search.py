"""Every search and count: conditions, metadata containment, order and paging.

What SQL can say exactly is said in SQL, so a page is a fixed number of short statements. The rest (an authorizer's
`$or`, the `values` of a thread, an empty object inside metadata) is tested in Python over growing batches of
candidates, in the wanted order, until the page is full. Rows are tested in Python in either case: who may see what
does not hang on an index alone.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from robyn_server.resources.metadata_filter import MetadataFilter, contains
from robyn_server.resources.page import Page
from robyn_server.resources.types import Json, JsonObject
from robyn_server.storage.db import Row, Transition
from robyn_server.storage.dialect import Dialect
from robyn_server.storage.meta_index import LONGEST, Kind, leaves, spelling

Item = TypeVar("Item")

FEW = 1000
"""With fewer matches than this of one metadata value, they are fetched and sorted; else the order's index is
walked."""
DENSE = 4
"""When every fourth row matches, the walk is over soon, and at worst looks at a few thousand rows."""

SMALLEST_BATCH = 100
LARGEST_BATCH = 2000
MOST_LEAVES = 20
"""More metadata values than these are left to the test in Python."""

_LEAF = "kind = ? AND path = ? AND value = ?"
_MATCHES = f"(SELECT count(*) FROM (SELECT 1 FROM meta_index WHERE {_LEAF} LIMIT ?))"


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
            contains(metadata, self.metadata)
            and self.visible.allows(metadata)
            and (self.test is None or self.test(item))
        )

    def is_exact(self, dialect: Dialect) -> bool:
        """Whether the statements find just what `accepts` accepts."""
        wanted = [part for part in (self.metadata, self.visible.equal) if part]
        return (
            self.test is None
            and self.visible.test is None
            and (dialect.meta_index or not wanted)
            and all(_is_indexed(member) for part in wanted for member in part.values())
            and sum(len(leaves(part)) for part in wanted) <= MOST_LEAVES
        )


@dataclass(frozen=True, slots=True)
class _Source:
    """FROM and WHERE of a search, or nothing at all when an index already says that nothing matches."""

    sql: str
    parameters: list[Any]
    empty: bool = False


def search(dialect: Dialect, wanted: Wanted[Item], limit: int, offset: int) -> Transition[Page[Item]]:
    """One page; `more` says whether others follow."""
    source = yield from _source(dialect, wanted)
    if source.empty:
        return Page((), more=False)
    if wanted.is_exact(dialect):
        found = yield from _fetch(wanted, source, limit + 1, offset)
        return _page([item for item in found if wanted.accepts(item)], len(found) > limit, limit)
    accepted = yield from _accepted(wanted, source, offset + limit + 1)
    return _page(accepted[offset:], len(accepted) > offset + limit, limit)


def count(dialect: Dialect, wanted: Wanted[Item]) -> Transition[int]:
    """How many match."""
    exact = wanted.is_exact(dialect)
    source = yield from _source(dialect, wanted, ordered=not exact)
    if source.empty:
        return 0
    if exact:
        rows = yield f"SELECT count(*) FROM {source.sql}", source.parameters
        return int(rows[0][0])
    return len((yield from _accepted(wanted, source, None)))


def _page(items: Sequence[Item], more: bool, limit: int) -> Page[Item]:
    return Page(tuple(items[:limit]), more)


def _accepted(wanted: Wanted[Item], source: _Source, most: int | None) -> Transition[list[Item]]:
    accepted: list[Item] = []
    offset, size = 0, SMALLEST_BATCH
    while True:
        batch = yield from _fetch(wanted, source, size, offset)
        accepted += [item for item in batch if wanted.accepts(item)]
        if len(batch) < size or (most is not None and len(accepted) >= most):
            return accepted[:most]
        offset, size = offset + size, min(size * 4, LARGEST_BATCH)


def _fetch(wanted: Wanted[Item], source: _Source, limit: int, offset: int) -> Transition[list[Item]]:
    direction = "DESC" if wanted.descending else "ASC"
    order = ", ".join(f"{expression} {direction}" for expression in wanted.order)
    ties = f"t.created_at, {wanted.key}" if wanted.oldest_first else f"{wanted.key} {direction}"
    order = f"{order}, {ties}" if order else ties
    # Ids first, so that no large column passes through a sort.
    rows = yield (
        f"SELECT {wanted.columns} FROM {wanted.kind} t WHERE {wanted.key} IN ("
        f"SELECT {wanted.key} FROM {source.sql} ORDER BY {order} LIMIT ? OFFSET ?) ORDER BY {order}",
        [*source.parameters, limit, offset],
    )
    return [wanted.read(row) for row in rows]


def _source(dialect: Dialect, wanted: Wanted[Item], *, ordered: bool = True) -> Transition[_Source]:
    """`ordered` False: all matches are wanted, so there is nothing to gain from walking an order's index."""
    marked = _leaves(wanted) if dialect.meta_index else []
    if not marked:
        return _walk(wanted, marked)
    rows = yield (
        f"SELECT {', '.join([_MATCHES] * len(marked))}, (SELECT max(rowid) FROM {wanted.kind})",
        [cell for leaf in marked for cell in (wanted.kind, *leaf, FEW)],
    )
    *matches, most = rows[0]
    fewest, rarest = min(zip(matches, marked, strict=True))
    if fewest == 0:
        return _Source("", [], empty=True)
    if ordered and (fewest == FEW or fewest * DENSE >= most):
        return _walk(wanted, marked)
    marked.remove(rarest)
    return _drive(wanted, rarest, marked, joined=ordered or bool(wanted.conditions))


def _walk(wanted: Wanted[Any], marked: Sequence[tuple[str, str]]) -> _Source:
    """Every row of the table is looked at, in whatever order is asked for."""
    where = [*(sql for sql, _ in wanted.conditions), *[_probe(wanted.key)] * len(marked)]
    parameters = [*_values(wanted), *_cells(wanted, marked)]
    return _Source(
        f"{wanted.kind} t WHERE {' AND '.join(where)}" if where else f"{wanted.kind} t", parameters
    )


def _drive(
    wanted: Wanted[Any], rarest: tuple[str, str], others: Sequence[tuple[str, str]], *, joined: bool
) -> _Source:
    """Only the rows with one metadata value are looked at."""
    where = [_LEAF, *[_probe("d.id")] * len(others)]
    parameters = [*_cells(wanted, [rarest]), *_cells(wanted, others)]
    if not joined:
        return _Source(f"meta_index d WHERE {' AND '.join(where)}", parameters)
    where += [f"{wanted.key} = d.id", *(sql for sql, _ in wanted.conditions)]
    # CROSS JOIN keeps SQLite from turning the loops round.
    return _Source(
        f"meta_index d CROSS JOIN {wanted.kind} t WHERE {' AND '.join(where)}",
        [*parameters, *_values(wanted)],
    )


def _probe(key: str) -> str:
    return f"EXISTS (SELECT 1 FROM meta_index m WHERE m.kind = ? AND m.path = ? AND m.value = ? AND m.id = {key})"


def _cells(wanted: Wanted[Any], marked: Sequence[tuple[str, str]]) -> list[str]:
    return [cell for leaf in marked for cell in (wanted.kind, *leaf)]


def _values(wanted: Wanted[Any]) -> list[Any]:
    return [value for _, values in wanted.conditions for value in values]


def _leaves(wanted: Wanted[Any]) -> list[tuple[str, str]]:
    return list(dict.fromkeys(leaves(wanted.metadata) + leaves(wanted.visible.equal)))[:MOST_LEAVES]


def _is_indexed(part: Json) -> bool:
    if isinstance(part, dict):
        return bool(part) and all(_is_indexed(member) for member in part.values())
    return len(spelling(part)) < LONGEST
