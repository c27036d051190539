"""Which rows a caller may see, and what a search asks for: tests on a metadata object.

Two languages meet here. A search's `metadata` is containment (`contains`). An authorizer answers with a filter
in the words of `langgraph_sdk.Auth`: `{"k": v}`, `{"k": {"$eq": v}}`, `{"k": {"$contains": v | [v, ...]}}`,
`{"$or": [..]}`, `{"$and": [..]}`, several keys and-ed.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from robyn_server.resources.types import Json, JsonObject

Test = Callable[[Mapping[str, Any]], bool]


def contains(whole: Json, part: Json) -> bool:
    """JSON containment: objects by subset at every depth, lists and scalars equal as a whole."""
    if isinstance(part, Mapping):
        return isinstance(whole, Mapping) and all(
            key in whole and contains(whole[key], value) for key, value in part.items()
        )
    return bool(whole == part) and isinstance(whole, bool) == isinstance(part, bool)


@dataclass(frozen=True, slots=True)
class MetadataFilter:
    """A test on metadata. `equal` holds the plain equalities all of which must hold, so that storage can
    answer them from an index; `test` is the rest (None: nothing more)."""

    equal: JsonObject
    test: Test | None = None

    def allows(self, metadata: Mapping[str, Any]) -> bool:
        """Whether a row with this metadata passes."""
        return contains(metadata, self.equal) and (self.test is None or self.test(metadata))

    @property
    def is_everything(self) -> bool:
        """Whether every row passes."""
        return not self.equal and self.test is None


EVERYTHING = MetadataFilter({})
NOTHING = MetadataFilter({}, lambda _: False)


class BadFilter(ValueError):
    """The authorizer's filter is not in the language above; the text says how."""


def parse_filter(spec: JsonObject | None) -> MetadataFilter:
    """An authorizer's filter as a `MetadataFilter`. Raises `BadFilter`."""
    if not spec:
        return EVERYTHING
    equal: JsonObject = {}
    tests: list[Test] = []
    for key, value in spec.items():
        if key in ("$or", "$and"):
            tests.append(_group(key, value, depth=1))
        elif isinstance(value, Mapping):
            tests.append(_field(key, value))
        else:
            equal[key] = value
    if not tests:
        return MetadataFilter(equal)
    return MetadataFilter(equal, lambda row: all(test(row) for test in tests))


def _group(operator: str, members: Json, depth: int) -> Test:
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
    tests = [_member(member, depth) for member in members]
    if operator == "$or":
        return lambda row: any(test(row) for test in tests)
    return lambda row: all(test(row) for test in tests)


def _member(spec: Json, depth: int) -> Test:
    if not isinstance(spec, Mapping):
        raise BadFilter("A member of $or or $and must be an object")
    tests: list[Test] = []
    for key, value in spec.items():
        if key in ("$or", "$and"):
            tests.append(_group(key, value, depth + 1))
        elif isinstance(value, Mapping):
            tests.append(_field(key, value))
        else:
            tests.append(_equality(key, value))
    return lambda row: all(test(row) for test in tests)


def _equality(key: str, value: Json) -> Test:
    return lambda row: key in row and contains(row[key], value)


def _field(key: str, condition: Mapping[str, Any]) -> Test:
    tests: list[Test] = []
    for operator, operand in condition.items():
        if operator == "$eq":
            tests.append(_equality(key, operand))
        elif operator == "$contains":
            wanted = operand if isinstance(operand, list) else [operand]
            tests.append(_holds_all(key, wanted))
        # An unknown operator lets everything through, as it does on the reference.
    return lambda row: all(test(row) for test in tests)


def _holds_all(key: str, wanted: list[Any]) -> Test:
    return lambda row: isinstance(row.get(key), list) and all(value in row[key] for value in wanted)
