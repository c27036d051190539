"""Tests on metadata as statements on `meta_index`: what rows must hold, how many do about, and how they are found.

`Needs` is a tree of entries of the index. It lets through every row that the test does, and sometimes more.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from robyn_server.resources.metadata_filter import AllOf, AnyOf, Condition, Equals, Holds
from robyn_server.resources.types import Json, JsonObject
from robyn_server.storage.meta_index import LONGEST, Kind, is_member, leaves, member_leaf, spelling

Sizes: TypeAlias = Mapping["Leaf", int]
Sql: TypeAlias = tuple[str, list[Any]]

_LEAF = "kind = ? AND path = ? AND value = ?"


@dataclass(frozen=True, slots=True)
class Leaf:
    """One entry of the index."""

    kind: Kind
    path: str
    value: str

    def leaves(self) -> Iterator["Leaf"]:
        """All leaves below."""
        yield self

    def size(self, sizes: Sizes) -> float:
        """About how many rows pass."""
        return sizes[self]

    def probe(self, key: str) -> Sql:
        """SQL: whether the row with the id `key` passes."""
        return (
            f"EXISTS (SELECT 1 FROM meta_index m WHERE m.kind = ? AND m.path = ? AND m.value = ? AND m.id = {key})",
            [self.kind, self.path, self.value],
        )

    def ids(self, sizes: Sizes) -> Sql:
        """SQL: SELECT of the ids of all rows that pass, each once."""
        return f"SELECT id FROM meta_index d WHERE {_LEAF}", [self.kind, self.path, self.value]


@dataclass(frozen=True, slots=True)
class Every:
    """Every one of them; of none, all rows."""

    members: tuple["Needs", ...]

    def leaves(self) -> Iterator[Leaf]:
        """See `Leaf`."""
        for member in self.members:
            yield from member.leaves()

    def size(self, sizes: Sizes) -> float:
        """See `Leaf`; infinite without members."""
        return min((member.size(sizes) for member in self.members), default=math.inf)

    def probe(self, key: str) -> Sql:
        """See `Leaf`."""
        return _joined(" AND ", [member.probe(key) for member in self.members])

    def ids(self, sizes: Sizes) -> Sql:
        """See `Leaf`: those of the rarest member, with the others asked for each."""
        rarest = min(self.members, key=lambda member: member.size(sizes))
        sql, parameters = rarest.ids(sizes)
        others = Every(tuple(member for member in self.members if member is not rarest))
        if not others.members:
            return sql, parameters
        if isinstance(rarest, Leaf):
            tested, more = others.probe("d.id")
            return f"{sql} AND {tested}", [*parameters, *more]
        tested, more = others.probe("e.id")
        return f"SELECT id FROM ({sql}) e WHERE {tested}", [*parameters, *more]


@dataclass(frozen=True, slots=True)
class Some:
    """At least one of them; of none, no rows."""

    members: tuple["Needs", ...]

    def leaves(self) -> Iterator[Leaf]:
        """See `Leaf`."""
        for member in self.members:
            yield from member.leaves()

    def size(self, sizes: Sizes) -> float:
        """See `Leaf`."""
        return sum(member.size(sizes) for member in self.members)

    def probe(self, key: str) -> Sql:
        """See `Leaf`."""
        return _joined(" OR ", [member.probe(key) for member in self.members])

    def ids(self, sizes: Sizes) -> Sql:
        """See `Leaf`."""
        found = [member.ids(sizes) for member in self.members]
        return " UNION ".join(sql for sql, _ in found), [cell for _, cells in found for cell in cells]


Needs: TypeAlias = Leaf | Every | Some

EVERYTHING = Every(())
NOTHING = Some(())


@dataclass(frozen=True, slots=True)
class Looked:
    """What the index can say of a test. `exact`: all that is to be said."""

    needs: Needs
    exact: bool


def needs_of_part(kind: Kind, part: JsonObject) -> Looked:
    """Containment."""
    found = every(Leaf(kind, path, value) for path, value in leaves(part))
    exact = all(_is_indexed(member) for member in part.values())
    return Looked(found, exact and all(len(leaf.path) < LONGEST for leaf in found.leaves()))


def needs_of(kind: Kind, condition: Condition | None) -> Looked:
    """An authorizer's condition."""
    if condition is None:
        return Looked(EVERYTHING, exact=True)
    if isinstance(condition, AllOf | AnyOf):
        below = [needs_of(kind, member) for member in condition.members]
        join = every if isinstance(condition, AllOf) else some
        return Looked(join(one.needs for one in below), all(one.exact for one in below))
    if isinstance(condition, Equals):
        return needs_of_part(kind, {condition.key: condition.value})
    if isinstance(condition, Holds) and is_member(condition.member):
        leaf = Leaf(kind, *member_leaf(condition.key, condition.member))
        return Looked(leaf, exact=len(leaf.path) < LONGEST and len(leaf.value) < LONGEST)
    return Looked(EVERYTHING, exact=False)


def every(members: Iterable[Needs]) -> Needs:
    """All of them, as flat as can be."""
    flat: dict[Needs, None] = {}
    for member in members:
        if member == NOTHING:
            return NOTHING
        flat |= dict.fromkeys(member.members if isinstance(member, Every) else (member,))
    return next(iter(flat)) if len(flat) == 1 else Every(tuple(flat))


def some(members: Iterable[Needs]) -> Needs:
    """One of them at least, as flat as can be."""
    flat: dict[Needs, None] = {}
    for member in members:
        if member == EVERYTHING:
            return EVERYTHING
        flat |= dict.fromkeys(member.members if isinstance(member, Some) else (member,))
    return next(iter(flat)) if len(flat) == 1 else Some(tuple(flat))


def _is_indexed(part: Json) -> bool:
    if isinstance(part, dict):
        return bool(part) and all(_is_indexed(member) for member in part.values())
    return len(spelling(part)) < LONGEST


def _joined(word: str, parts: Sequence[Sql]) -> Sql:
    return f"({word.join(sql for sql, _ in parts)})", [cell for _, cells in parts for cell in cells]
