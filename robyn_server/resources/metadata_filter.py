"""Which rows a caller may see, and what a search asks for: tests on a metadata object.

Two languages meet here. A search's `metadata` is containment (`contains`). An authorizer answers with a filter
in the words of `langgraph_sdk.Auth`: `{"k": v}`, `{"k": {"$eq": v}}`, `{"k": {"$contains": v | [v, ...]}}`,
`{"$or": [..]}`, `{"$and": [..]}`, several keys and-ed.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from robyn_server.resources.types import Json, JsonObject

Test: TypeAlias = Callable[[Mapping[str, Any]], bool]

_PLAIN = (str, int, float, list)


def contains(whole: Json, part: Json) -> bool:
    """JSON containment: objects by subset at every depth, lists and scalars equal as a whole."""
    # Most parts are plain, and to ask whether something is a Mapping takes long.
    if isinstance(part, _PLAIN) or not isinstance(part, Mapping):
        return _same(whole, part)
    if not isinstance(whole, Mapping):
        return False
    for key, value in part.items():
        if key not in whole or not contains(whole[key], value):
            return False
    return True


@dataclass(frozen=True, slots=True)
class Equals:
    """One key has a value, as containment takes it."""

    key: str
    value: Json

    def allows(self, metadata: Mapping[str, Any]) -> bool:
        """Whether a row with this metadata passes."""
        return self.key in metadata and contains(metadata[self.key], self.value)


@dataclass(frozen=True, slots=True)
class Holds:
    """One key has a list with this member."""

    key: str
    member: Json

    def allows(self, metadata: Mapping[str, Any]) -> bool:
        """Whether a row with this metadata passes."""
        found = metadata.get(self.key)
        return isinstance(found, list) and any(_same(one, self.member) for one in found)


@dataclass(frozen=True, slots=True)
class AllOf:
    """Every condition holds; none at all: everything passes."""

    members: tuple["Condition", ...]

    def allows(self, metadata: Mapping[str, Any]) -> bool:
        """Whether a row with this metadata passes."""
        return all(member.allows(metadata) for member in self.members)


@dataclass(frozen=True, slots=True)
class AnyOf:
    """One condition holds at least; none at all: nothing passes."""

    members: tuple["Condition", ...]

    def allows(self, metadata: Mapping[str, Any]) -> bool:
        """Whether a row with this metadata passes."""
        return any(member.allows(metadata) for member in self.members)


@dataclass(frozen=True, slots=True)
class Passes:
    """Whatever a function says: storage cannot look it up, so rows are fetched and tested."""

    test: Test

    def allows(self, metadata: Mapping[str, Any]) -> bool:
        """Whether a row with this metadata passes."""
        return self.test(metadata)


Condition: TypeAlias = Equals | Holds | AllOf | AnyOf | Passes


@dataclass(frozen=True, slots=True)
class MetadataFilter:
    """A test on metadata: the plain equalities of `equal`, all of which must hold, and `rest` (None: nothing more).
    Both are data, so that storage can answer them from an index."""

    equal: JsonObject
    rest: Condition | None = None

    def allows(self, metadata: Mapping[str, Any]) -> bool:
        """Whether a row with this metadata passes."""
        return (not self.equal or contains(metadata, self.equal)) and (
            self.rest is None or self.rest.allows(metadata)
        )

    @property
    def is_everything(self) -> bool:
        """Whether every row passes."""
        return not self.equal and self.rest is None


EVERYTHING = MetadataFilter({})
NOTHING = MetadataFilter({}, AnyOf(()))


class BadFilter(ValueError):
    """The authorizer's filter is not in the language above; the text says how."""


def parse_filter(spec: JsonObject | None) -> MetadataFilter:
    """An authorizer's filter as a `MetadataFilter`. Raises `BadFilter`."""
    if not spec:
        return EVERYTHING
    equal: JsonObject = {}
    rest: list[Condition] = []
    for key, value in spec.items():
        if key in ("$or", "$and"):
            rest.append(_group(key, value, depth=1))
        elif isinstance(value, Mapping):
            rest.append(_field(key, value))
        else:
            equal[key] = value
    return MetadataFilter(equal, AllOf(tuple(rest)) if rest else None)


def _group(operator: str, members: Json, depth: int) -> Condition:
    if depth > 2:
        raise BadFilter(
            "Your auth handler returned a filter with too many nested operators. The maximum depth for nested"
            " operators is 2. Please simplify your filter."
        )
    if not isinstance(members, list) or len(members) < 2:
        raise BadFilter(
            f"Your auth handler returned a filter with an invalid {operator} operator. The {operator} operator must"
            " be a list of at least 2 filter objects. Check the filter returned by your auth handler."
        )
    found = tuple(_member(member, depth) for member in members)
    return AnyOf(found) if operator == "$or" else AllOf(found)


def _member(spec: Json, depth: int) -> Condition:
    if not isinstance(spec, Mapping):
        raise BadFilter("A member of $or or $and must be an object")
    found: list[Condition] = []
    for key, value in spec.items():
        if key in ("$or", "$and"):
            found.append(_group(key, value, depth + 1))
        elif isinstance(value, Mapping):
            found.append(_field(key, value))
        else:
            found.append(Equals(key, value))
    return AllOf(tuple(found))


def _field(key: str, condition: Mapping[str, Any]) -> Condition:
    found: list[Condition] = []
    for operator, operand in condition.items():
        if operator == "$eq":
            found.append(Equals(key, operand))
        elif operator == "$contains":
            wanted = operand if isinstance(operand, list) else [operand]
            # Of no members at all any list has all.
            found += [Holds(key, member) for member in wanted] or [Passes(_is_list(key))]
        # An unknown operator lets everything through, as it does on the reference.
    return AllOf(tuple(found))


def _is_list(key: str) -> Test:
    return lambda metadata: isinstance(metadata.get(key), list)


def _same(one: Json, other: Json) -> bool:
    return bool(one == other) and isinstance(one, bool) == isinstance(other, bool)
