"""Request bodies against the JSON schemas of their surface, in the sentences of the reference."""

import re
from collections.abc import Mapping
from typing import Protocol

from jsonschema_rs import Draft202012Validator, ValidationError

from robyn_server.errors import StartupError, Unprocessable
from robyn_server.resources.types import Json, JsonObject

TYPES = re.compile(r"(?<= is not of types ).+$", re.MULTILINE)

MATCHES_NOTHING = "(?!)"


class Validator(Protocol):
    """One compiled schema."""

    def validate(self, instance: Json) -> None:
        """Raises `jsonschema_rs.ValidationError` for the first thing that is wrong."""


def compile_schema(name: str, schemas: Mapping[str, Json]) -> Validator:
    """The validator for one named schema, which may refer to the others as `#/components/schemas/X` or `#/$defs/X`.

    Formats are not enforced. Raises `StartupError` for a schema that is missing or wrong.
    """
    if name not in schemas:
        raise StartupError(f"A route names the JSON schema {name!r}, which its surface does not have.")
    root = _with_required_heard(schemas[name])
    own = root.get("$defs", {})
    # Only what it refers to: each validator keeps a copy of all that it is given.
    named = {one: _with_required_heard(schemas[one]) for one in _referred(root, schemas)}
    # The schema itself is the root, so that paths in messages begin where the reference's do.
    whole = {**root, "components": {"schemas": named}, "$defs": {**named, **own}}
    try:
        return Draft202012Validator(whole, validate_formats=False)
    except ValidationError as error:
        raise StartupError(f"The JSON schema {name!r} is not valid: {error.message}") from error


def _referred(root: JsonObject, schemas: Mapping[str, Json]) -> set[str]:
    """The names of the schemas that `root` refers to, themselves or through others."""
    found: set[str] = set()
    unread: list[Json] = [root]
    while unread:
        part = unread.pop()
        if isinstance(part, dict):
            name = str(part.get("$ref", "")).rpartition("/")[2]
            if name in schemas and name not in found:
                found.add(name)
                unread.append(schemas[name])
            unread += part.values()
        elif isinstance(part, list):
            unread += part
    return found


def _with_required_heard(schema: JsonObject) -> JsonObject:
    """jsonschema-rs 0.44 forgets a `required` of two names beside 15 or more properties, but not beside patterns."""
    if len(schema.get("required", ())) != 2 or "patternProperties" in schema:
        return schema
    return {**schema, "patternProperties": {MATCHES_NOTHING: True}}


def check(validator: Validator, instance: Json) -> None:
    """Raises `Unprocessable` with reason, schema path and instance, e.g. `"graph_id" is a required property ...`."""
    try:
        validator.validate(instance)
    except ValidationError as error:
        raise Unprocessable(TYPES.sub(_sorted_types, str(error), count=1)) from error


def _sorted_types(found: re.Match[str]) -> str:
    return ", ".join(sorted(found[0].split(", ")))
