from typing import Annotated, NotRequired, Optional, Required, TypedDict

import pytest
from pydantic import TypeAdapter

from robyn_server.graphs.typed_dicts import describable


class Inner(TypedDict):
    """Says what it is."""

    word: str
    maybe: NotRequired[int]


class Outer(TypedDict, total=False):
    one: Required[Inner]
    many: dict[str, list[Inner]]
    optional: Optional[Inner]  # noqa: UP045 - both spellings must work
    either: Inner | None
    marked: Annotated[list[Inner], "reducer"]


class Endless(TypedDict):
    deeper: "list[Endless]"


def test_typed_dicts_at_any_depth_can_be_described():
    schema = TypeAdapter(describable(Outer)).json_schema()
    inner = schema["$defs"]["Inner"]
    assert schema["title"] == "Outer"
    assert schema["required"] == ["one"]
    assert list(schema["properties"]) == ["one", "many", "optional", "either", "marked"]
    assert inner["required"] == ["word"]
    assert inner["description"] == "Says what it is."
    assert schema["properties"]["either"]["anyOf"] == schema["properties"]["optional"]["anyOf"]


@pytest.mark.parametrize("hint", [int, list[str], Optional[int], "Forward"])  # noqa: UP045
def test_other_types_stay_as_they_are(hint):
    assert describable(hint) is hint


def test_endless_dictionaries_do_not_hang():
    assert describable(Endless).__name__ == "Endless"
