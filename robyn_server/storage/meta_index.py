"""The side table that answers metadata containment.

It holds every leaf of an object's metadata, that is every scalar and every list, under its dotted path (a dot
inside a key is written `\\.`), and the plain members of the lists at its top under `<key>.\\*`. Empty objects are not
in it, and long leaves and paths not whole: they are told apart by testing the metadata itself.
"""

from collections.abc import Iterator
from typing import Literal

import orjson

from robyn_server.resources.types import Json, JsonObject
from robyn_server.storage.db import Transition
from robyn_server.storage.dialect import Dialect

Kind = Literal["thread", "assistant", "cron"]

LONGEST = 200
"""Characters of a path and of a value that are indexed."""


def leaves(metadata: JsonObject) -> list[tuple[str, str]]:
    """`(dotted path, value as JSON)` for each leaf, without doubles, each cut to LONGEST."""
    return list(dict.fromkeys(_leaves(None, metadata)))


def is_member(value: Json) -> bool:
    """Whether a list is found by this member: texts, flags, null and whole numbers, spelled in one way only."""
    value = _plain(value)
    return value is None or isinstance(value, str) or (isinstance(value, int) and abs(value) < 2**53)


def member_leaf(key: str, member: Json) -> tuple[str, str]:
    """`(path, value)` of one member of the list under a key at the top."""
    return f"{_step(key)}.\\*"[:LONGEST], spelling(member)[:LONGEST]


def entries(metadata: JsonObject) -> list[tuple[str, str]]:
    """All that the index holds of an object: its leaves, and the members of its lists."""
    members = (
        member_leaf(key, member)
        for key, value in metadata.items()
        if isinstance(value, list)
        for member in value
        if is_member(member)
    )
    return list(dict.fromkeys((*_leaves(None, metadata), *members)))


def _step(key: str) -> str:
    return str(key).replace("\\", "\\\\").replace(".", "\\.").replace("\0", "\\0")


def _leaves(prefix: str | None, value: Json) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for key, member in value.items():
            step = _step(key)
            yield from _leaves(step if prefix is None else f"{prefix}.{step}", member)
    else:
        yield (prefix or "")[:LONGEST], spelling(value)[:LONGEST]


def spelling(value: Json) -> str:
    """JSON that is the same text for whatever containment takes as equal."""
    return orjson.dumps(_plain(value), option=orjson.OPT_SORT_KEYS).decode()


def _plain(value: Json) -> Json:
    if isinstance(value, dict):
        return {key: _plain(member) for key, member in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(member) for member in value]
    # 1 and 1.0 are equal.
    whole = isinstance(value, float) and value.is_integer() and abs(value) < 2**53
    return int(value) if whole else value


def write_index(
    dialect: Dialect, kind: Kind, object_id: str, metadata: JsonObject, *, new: bool = False
) -> Transition[None]:
    """Make the index say what `metadata` says; of a `new` object it says nothing yet. Triggers drop the entries of
    deleted rows."""
    if not new:
        yield "DELETE FROM meta_index WHERE kind = ? AND id = ?", (kind, object_id)
    found = entries(metadata)
    # In portions: SQLite allows 999 parameters in old builds.
    for start in range(0, len(found), 200):
        portion = found[start : start + 200]
        yield (
            "INSERT INTO meta_index(kind, path, value, id) VALUES "
            + ", ".join(["(?, ?, ?, ?)"] * len(portion)),
            [cell for path, value in portion for cell in (kind, path, value, object_id)],
        )
