"""Bodies against schemas: nothing that a schema requires is overlooked."""

import pytest

from robyn_server.app import GUESTS
from robyn_server.errors import Unprocessable
from robyn_server.web.routing import Surface
from robyn_server.web.validation import check, compile_schema

REQUIRING = [
    (surface, name)
    for surface in GUESTS
    for name, schema in surface.schemas.items()
    if schema.get("type") == "object" and schema.get("required")
]


@pytest.mark.parametrize(("surface", "name"), REQUIRING, ids=lambda given: getattr(given, "name", given))
def test_what_is_required_is_missed(surface: Surface, name: str) -> None:
    with pytest.raises(Unprocessable, match="is a required property"):
        check(compile_schema(name, surface.schemas), {})


@pytest.mark.parametrize("properties", [2, 14, 15, 16, 40])
@pytest.mark.parametrize("required", [1, 2, 3])
def test_each_of_the_required_is_missed(properties: int, required: int) -> None:
    names = [f"p{number}" for number in range(max(properties, required))]
    schema = {"type": "object", "properties": {name: {} for name in names}, "required": names[:required]}
    validator = compile_schema("Given", {"Given": schema})
    whole = dict.fromkeys(names, 1)
    check(validator, whole)
    for name in names[:required]:
        with pytest.raises(Unprocessable, match=f'"{name}" is a required property'):
            check(validator, {key: value for key, value in whole.items() if key != name})
