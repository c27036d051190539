"""The side table that answers metadata containment where the database has no index for it (SQLite).

It holds every scalar leaf of an object's metadata under its dotted path (a dot inside a key is written
`\\.`). Lists, empty objects and long strings are not in it, or not whole: they are told apart by testing the
metadata itself.
"""

from collections.abc import Iterator
from typing import Literal

import orjson

from robyn_server.resources.types import Json, JsonObject
from robyn_server.storage.db import Transition
from robyn_server.storage.dialect import Dialect

Kind = Literal["thread", "assistant", "cron"]

LONGEST = 200
"""Characters of a value that are indexed."""


def leaves(metadata: JsonObject) -> list[tuple[str, str]]:
    """`(dotted path, value as JSON)` for each scalar leaf, without doubles."""
    return list(dict.fromkeys(_leaves(None, metadata)))


def _leaves(prefix: str | None, value: Json) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for key, member in value.items():
            step = str(key).replace("\\", "\\\\").replace(".", "\\.")
            yield from _leaves(step if prefix is None else f"{prefix}.{step}", member)
    elif not isinstance(value, (list, tuple)):
        # 1 and 1.0 are equal in containment, so they must be spelled alike here.
        whole = (
            int(value) if isinstance(value, float) and value.is_integer() and abs(value) < 2**53 else value
        )
        yield prefix or "", orjson.dumps(whole).decode()[:LONGEST]


def write_index(dialect: Dialect, kind: Kind, object_id: str, metadata: JsonObject) -> Transition[None]:
    """Make the index say what `metadata` says. Triggers drop the entries of deleted rows."""
    if not dialect.meta_index:
        return
    yield "DELETE FROM meta_index WHERE kind = ? AND id = ?", (kind, object_id)
    found = leaves(metadata)
    # In portions: SQLite allows 999 parameters in old builds.
    for start in range(0, len(found), 200):
        portion = found[start : start + 200]
        yield (
            "INSERT INTO meta_index(kind, path, value, id) VALUES "
            + ", ".join(["(?, ?, ?, ?)"] * len(portion)),
            [cell for path, value in portion for cell in (kind, path, value, object_id)],
        )
