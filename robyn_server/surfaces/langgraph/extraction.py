"""The `extract` of a thread search: single values out of large states, by paths like `values.messages[-1].id`."""

import re
from collections.abc import Mapping

import orjson

from robyn_server.errors import Unprocessable
from robyn_server.resources.thread import Thread
from robyn_server.resources.types import Json, JsonObject

ROOTS = ("config", "interrupts", "metadata", "values")
RESERVED = frozenset(
    {
        "thread_id", "created_at", "updated_at", "state_updated_at", "metadata", "config", "status", "values",
        "interrupts", "error",
    }
)  # fmt: skip
ALIAS = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
STEP = re.compile(r"\.?(?P<key>[^.\[\]]+)|\[(?P<index>-?\d+)\]|\.\Z")


def check_extract(extract: Mapping[str, str]) -> None:
    """Raises `Unprocessable` when an alias or the root of a path is not allowed."""
    taken = sorted(RESERVED.intersection(extract))
    if taken:
        raise Unprocessable(f"Extract keys cannot use reserved field names: {taken}")
    for alias, path in extract.items():
        if not ALIAS.match(alias):
            raise Unprocessable(
                f"Extract key '{alias}' must be a valid identifier (letters, digits, underscores)"
            )
        if not path:
            raise Unprocessable(f"Extract path for '{alias}' must be a non-empty string")
        if re.split(r"[.\[]", path, maxsplit=1)[0] not in ROOTS:
            raise Unprocessable(f"Extract path '{path}' must start with one of: {', '.join(ROOTS)}")


def needs_values(extract: Mapping[str, str]) -> bool:
    """Whether any path leads into the values."""
    return any(path.startswith("values") for path in extract.values())


def extracted(thread: Thread, extract: Mapping[str, str]) -> JsonObject:
    """Alias -> value, None where a path leads nowhere."""
    whole: JsonObject = {
        "config": thread.config,
        "interrupts": thread.interrupts,
        "metadata": thread.metadata,
        "values": orjson.loads(thread.values) if needs_values(extract) and thread.values else None,
    }
    return {alias: _at(whole, path) for alias, path in extract.items()}


def _at(value: Json, path: str) -> Json:
    position = 0
    while position < len(path):
        step = STEP.match(path, position)
        if step is None:
            return None
        position = step.end()
        if step["index"] is not None:
            value = _item(value, int(step["index"]))
        elif step["key"] is not None:
            value = _member(value, step["key"])
    return value


def _item(value: Json, index: int) -> Json:
    return value[index] if isinstance(value, list) and -len(value) <= index < len(value) else None


def _member(value: Json, key: str) -> Json:
    return value.get(key) if isinstance(value, dict) and not key.startswith("_") else None
