"""Cosine similarity in PostgreSQL, by its extension `vector`: as exact as `vectors.py`, and no vector leaves the
database. There is no index of neighbours, which would be fast and miss some: the vectors below a prefix are compared
one by one."""

from collections.abc import Iterable, Sequence

import orjson

from robyn_server.storage.db import Transition
from robyn_server.storage.dialect import Dialect


def vector_text(numbers: Iterable[float]) -> str:
    """A vector as the extension reads it."""
    return f"[{','.join(map(repr, numbers))}]"


def nearest(
    dialect: Dialect,
    namespaces: Sequence[int],
    among: Sequence[int] | None,
    query: Sequence[float],
    need: int,
    embedding: int,
) -> Transition[list[tuple[int, float]]]:
    """Item and cosine of the `need` best items in these namespaces, each by the best of its vectors; of equals the
    first. `among`: only these vectors. `embedding`: what made the query's and theirs."""
    schema = dialect.vectors
    cosine = f"1 - (meaning OPERATOR({schema}.<=>) ?::{schema}.vector)"
    # The extension knows no angle to a vector without length.
    score = f"CASE WHEN norm = 0 THEN 0 ELSE {cosine} END" if any(query) else "0 * length(?)"
    some = "" if among is None else f" AND id IN {dialect.numbers}"
    return (
        yield (
            f"SELECT seq, max(score)::float8 AS best FROM (SELECT ns, seq, {score} AS score FROM item_vector"
            f" WHERE embedding = ? AND meaning IS NOT NULL AND ns IN {dialect.numbers}{some}"
            f" AND seq NOT IN (SELECT seq FROM item WHERE expires_at <= {dialect.now})) v"
            " GROUP BY ns, seq ORDER BY best DESC, ns, seq LIMIT ?",
            (
                vector_text(query),
                embedding,
                orjson.dumps(list(namespaces)).decode(),
                *([] if among is None else [orjson.dumps(list(among)).decode()]),
                need,
            ),
        )
    )
