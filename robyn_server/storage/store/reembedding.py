"""After a change of `store.index`: which vectors can be compared, and whose are to be made again. Transitions.

What embeds has a name, which stands for all that makes vectors comparable, and a number. Every vector and every item
carries the number; a search compares vectors of its own number only, so items are found by meaning again one by one, as
they are embedded again. Of several servers with different configurations the one that started last does that.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import orjson

from robyn_server.storage.db import Transition
from robyn_server.storage.dialect import Dialect
from robyn_server.storage.store.rows import Vector, alive, replace_vectors

BEGINNING = (-1, 0)
AT_ONCE = 64
"""Items embedded with one call of the project's function."""


@dataclass(frozen=True, slots=True)
class Stale:
    """An item whose vectors are another's. `value` is JSON; `index` as it was put; `read_at` tells whether it has been
    put again since."""

    place: tuple[int, int]
    """What embedded it, and its own number."""
    ns: int
    value: bytes
    index: Literal[False] | list[str] | None
    read_at: Any


def choose(dialect: Dialect, name: str, dims: int) -> Transition[int]:
    """The number of what embeds from now on. The first one ever takes over the vectors from before there were
    numbers, where they have its length."""
    known = yield "SELECT 1 FROM embedding LIMIT 1", ()
    rows = yield (
        f"INSERT INTO embedding(name, chosen_at) VALUES (?, {dialect.now})"
        " ON CONFLICT (name) DO UPDATE SET chosen_at = excluded.chosen_at RETURNING id",
        (name,),
    )
    number: int = rows[0][0]
    if not known:
        yield "UPDATE item_vector SET embedding = ? WHERE embedding = 0 AND dims = ?", (number, dims)
        yield (
            "UPDATE item SET embedding = ? WHERE seq IN (SELECT seq FROM item_vector WHERE embedding = ?)",
            (number, number),
        )
    return number


def stale(dialect: Dialect, number: int, after: tuple[int, int]) -> Transition[list[Stale]]:
    """The next AT_ONCE items behind a place; none while another configuration has been chosen."""
    rows = yield "SELECT id FROM embedding ORDER BY chosen_at DESC, id DESC LIMIT 1", ()
    if rows != [(number,)]:
        return []
    rows = yield (
        "SELECT i.embedding, i.seq, i.ns, i.value, i.paths, i.updated_at FROM item i"
        " WHERE (i.embedding, i.seq) > (?, ?) AND i.embedding <> ? AND i.paths IS DISTINCT FROM 'false'"
        f" AND {alive(dialect)} ORDER BY i.embedding, i.seq LIMIT ?",
        (*after, number, AT_ONCE),
    )
    return [
        Stale(
            (embedding, seq),
            ns,
            orjson.dumps(dialect.read_private(value)),
            None if paths is None else orjson.loads(paths),
            read_at,
        )
        for embedding, seq, ns, value, paths, read_at in rows
    ]


def renew(dialect: Dialect, items: Sequence[tuple[Stale, list[Vector]]], number: int) -> Transition[None]:
    """Give the items their new vectors, but for those that were put or deleted meanwhile."""
    for item, vectors in items:
        embedding, seq = item.place
        same = yield (
            "UPDATE item SET embedding = ? WHERE seq = ? AND updated_at = ? AND embedding = ? RETURNING seq",
            (number, seq, item.read_at, embedding),
        )
        if same:
            yield from replace_vectors(dialect, seq, item.ns, vectors, number)
