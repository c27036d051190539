"""What of a langgraph.json is unknown, has no effect, or is of a wrong kind. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from jsonschema_rs import Draft202012Validator, ValidationError

from robyn_server.graphs.config_schema import SCHEMA
from robyn_server.resources.types import Json

KINDS = {
    "string": "a text",
    "boolean": "true or false",
    "object": "an object",
    "array": "a list",
    "number": "a number",
    "integer": "a whole number",
}


def unknown_keys(raw: Json, name: str = "langgraph.json") -> tuple[str, ...]:
    """A sentence for each key that there is none of, with the one that was probably meant. `name` is the file's."""
    return tuple(_unknown(SCHEMA, raw, (), name))


def unused_keys(raw: Json) -> tuple[str, ...]:
    """`"key": why`, for each key that is right and has no effect on this server."""
    return tuple(f'"{_dotted(path)}": {why}' for path, why in _unused(SCHEMA, raw, ()))


OVERRULED = (
    ("store", "index", "that store embeds by itself"),
    ("checkpointer", "serde", "that saver has its own serializer"),
)
"""Section, key, and why `path` of the section leaves it without effect."""


def overruled_keys(raw: Json) -> tuple[str, ...]:
    """A sentence for each key that stands beside one which takes its place."""
    found = ((raw.get(section) or {}, section, key, why) for section, key, why in OVERRULED)
    return tuple(
        f'"{section}.{key}" has no effect beside "{section}.path": {why}.'
        for given, section, key, why in found
        if given.get("path") and given.get(key)
    )


def wrong_values(raw: Json, name: str = "langgraph.json") -> tuple[str, ...]:
    """A sentence for each value of a wrong kind. The value itself, which may be a secret, is not shown."""
    found = Draft202012Validator(SCHEMA).iter_errors(raw)
    return tuple(_sentence(error, name) for error in found)


def _unknown(schema: Mapping[str, Any], value: Json, path: tuple[str, ...], name: str) -> Iterator[str]:
    for key, inner, found in _members(schema, value):
        here = (*path, key)
        if inner is None:
            known = list(schema["properties"])
            (meant,) = get_close_matches(key, known, 1) or ("",)
            hint = f' Did you mean "{meant}"?' if meant else ""
            yield f'Unknown key "{_dotted(here)}" in {name} is ignored.{hint}'
        else:
            yield from _unknown(inner, found, here, name)


def _unused(
    schema: Mapping[str, Any], value: Json, path: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], str]]:
    for key, inner, found in _members(schema, value):
        if inner is None or found is None:
            continue
        if "unused" in inner:
            yield (*path, key), inner["unused"]
        else:
            yield from _unused(inner, found, (*path, key))


def _members(schema: Mapping[str, Any], value: Json) -> Iterator[tuple[str, Mapping[str, Any] | None, Json]]:
    """Key, what the schema says of it (None: nothing), and value, of an object that the schema describes."""
    if not isinstance(value, dict) or not ({"properties", "additionalProperties"} & schema.keys()):
        return
    for key, found in value.items():
        yield key, schema.get("properties", {}).get(key, schema.get("additionalProperties")), found


def _sentence(error: ValidationError, name: str) -> str:
    *_, rule = error.schema_path
    if rule == "required":
        expected = 'an object with a "path"'
    else:
        expected = _expected(_at(error.schema_path[:-1]))
    return f'"{_dotted(error.instance_path)}" in {name} must be {expected}: correct it.'


def _at(path: Sequence[str | int]) -> Mapping[str, Any]:
    found: Any = SCHEMA
    for step in path:
        found = found[step]
    schema: Mapping[str, Any] = found
    return schema


def _expected(schema: Mapping[str, Any]) -> str:
    if "enum" in schema:
        return " or ".join(f'"{word}"' for word in schema["enum"] if word is not None)
    kinds = [schema["type"]] if isinstance(schema["type"], str) else schema["type"]
    bounds = [
        f" {word} {schema[keyword]}"
        for keyword, word in (("minimum", "from"), ("maximum", "to"), ("exclusiveMinimum", "above"))
        if keyword in schema
    ]
    return " or ".join(KINDS[kind] for kind in kinds if kind != "null") + "".join(bounds)


def _dotted(path: Sequence[str | int]) -> str:
    return ".".join(map(str, path))
