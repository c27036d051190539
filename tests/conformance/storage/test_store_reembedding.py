"""After a change of `store.index` old vectors are not compared with new ones, and are made again."""

import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from langgraph.store.base import SearchItem

from robyn_server.storage.db import Transition
from robyn_server.storage.dialect import SqliteDialect
from robyn_server.storage.dialect_postgres import PostgresDialect
from robyn_server.storage.encryption.cipher import CLEAR, AesGcm, DerivedKeys
from robyn_server.storage.migrations import bring_up_to_date
from robyn_server.storage.migrations.postgres import migrate
from robyn_server.storage.migrations.vectors import open_vectors
from robyn_server.storage.postgres_connection import open_pool
from robyn_server.storage.postgres_db import PostgresDb
from robyn_server.storage.sqlite_db import SqliteDb
from robyn_server.storage.store.reembedding import AT_ONCE
from robyn_server.storage.store.schema import tables
from robyn_server.storage.store.sql_store import (
    STEPS,
    STORE_FILE,
    SqlStore,
    StoreOptions,
    open_store,
    store_on,
)
from tests.postgres_server import PostgresServer

DIMS = 16
Open = Callable[..., Awaitable[SqlStore]]


class Embed:
    """Texts that share words are near one another; two of these with other salts agree on nothing."""

    def __init__(self, salt: str, refuses: str = "") -> None:
        self.salt = salt
        self.refuses = refuses
        self.seen: list[str] = []

    def __call__(self, texts: Sequence[str]) -> list[list[float]]:
        if self.refuses and any(self.refuses in text for text in texts):
            raise OverflowError(self.refuses)
        self.seen += texts
        return [self.vector(text) for text in texts]

    def vector(self, text: str) -> list[float]:
        numbers = [0.0] * DIMS
        for word in text.lower().split():
            numbers[hashlib.sha256(f"{self.salt}{word}".encode()).digest()[0] % DIMS] += 1.0
        return numbers


@pytest.fixture(params=["sqlite", "sqlite sealed", "postgres", "postgres sealed", "pgvector"])
async def opened(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Open]:
    """Opens the one store of a test, again and again, each time as a new server would."""
    closing: list[Callable[[], Awaitable[None]]] = []
    uri, vectors = "", None
    kind, _, sealed = request.param.partition(" ")
    cipher = AesGcm(DerivedKeys(bytes(32))) if sealed else CLEAR
    if kind != "sqlite":
        server: PostgresServer = request.getfixturevalue(kind)
        uri = server.database(f"again{abs(hash(request.node.name)) % 10**8}")
        await migrate(uri)
        if kind == "pgvector":
            vectors = await open_vectors(uri, needed=True)
            assert vectors is not None

    async def open_one(embed: Any, name: str, fields: Sequence[str] = ("text",)) -> SqlStore:
        options = StoreOptions(index={"embed": embed, "dims": DIMS, "fields": list(fields)}, index_name=name)
        if uri:
            pool = await open_pool(uri, 2)
            db = PostgresDb(pool, uri, PostgresDialect(cipher, vectors))
            closing.append(db.close)
            return await store_on(db, options)
        store = await open_store(tmp_path, options, cipher=cipher)
        closing.append(store.close)
        return store

    yield open_one
    for close in closing:
        await close()


async def all_again(store: SqlStore) -> int:
    total = 0
    while count := await store.embed_again():
        total += count
    return total


def found(items: Sequence[SearchItem]) -> list[tuple[str, bool]]:
    """Keys, and whether a vector was compared."""
    return [(item.key, item.score is not None) for item in items]


async def fill(store: SqlStore) -> None:
    await store.aput(("s",), "apple", {"text": "red apple", "other": "sour"})
    await store.aput(("s",), "sea", {"text": "blue sea", "other": "wide"})
    await store.aput(("s",), "quiet", {"text": "red apple"}, index=False)
    await store.aput(("s",), "own", {"text": "red", "other": "wide"}, index=["other"])


async def test_old_vectors_are_not_compared_and_made_again(opened: Open) -> None:
    await fill(await opened(Embed("a"), "one"))
    embed = Embed("b")
    store = await opened(embed, "two")
    before = await store.asearch(("s",), query="red apple")
    assert found(before) == [(key, False) for key in ("apple", "sea", "quiet", "own")]
    assert await all_again(store) == 3
    assert sorted(embed.seen) == ["blue sea", "red apple", "red apple", "wide"]  # with the query
    after = await store.asearch(("s",), query="red apple")
    assert found(after[:1]) == [("apple", True)]
    assert sorted(found(after[1:3])) == [("own", True), ("sea", True)]
    assert found(after[3:]) == [("quiet", False)]
    assert after[0].score == pytest.approx(1.0)
    assert [item.score for item in await store.asearch(("s",), query="wide", limit=1)] == [pytest.approx(1.0)]
    assert await all_again(store) == 0


async def test_other_fields_of_the_same_function(opened: Open) -> None:
    await fill(await opened(Embed("a"), "one", ["text"]))
    store = await opened(Embed("a"), "two", ["other"])
    assert await all_again(store) == 3
    (best,) = await store.asearch(("s",), query="sour", limit=1)
    assert (best.key, best.score) == ("apple", pytest.approx(1.0))


async def test_the_same_configuration_embeds_nothing_again(opened: Open) -> None:
    await fill(await opened(Embed("a"), "one"))
    embed = Embed("a")
    store = await opened(embed, "one")
    assert await all_again(store) == 0
    assert embed.seen == []
    assert found(await store.asearch(("s",), query="blue sea", limit=1)) == [("sea", True)]


async def test_what_is_put_meanwhile_stays(opened: Open) -> None:
    old = await opened(Embed("a"), "one")
    await fill(old)
    store = await opened(Embed("b"), "two")
    await store.aput(("s",), "apple", {"text": "green pear"})
    # A server that has not been restarted yet puts too; it does not make its own vectors again.
    await old.aput(("s",), "late", {"text": "white snow"})
    assert await old.embed_again() == 0
    assert await all_again(store) == 3
    (best,) = await store.asearch(("s",), query="green pear", limit=1)
    assert (best.key, best.score) == ("apple", pytest.approx(1.0))
    (best,) = await store.asearch(("s",), query="white snow", limit=1)
    assert best.key == "late"


async def test_an_item_that_cannot_be_embedded_does_not_hold_up_the_others(opened: Open) -> None:
    old = await opened(Embed("a"), "one")
    for n in range(AT_ONCE + 2):
        await old.aput(("s",), f"k{n:03}", {"text": "poison" if n == 1 else f"word{n}"})
    store = await opened(Embed("b", refuses="poison"), "two")
    with pytest.raises(OverflowError):
        await store.embed_again()
    assert await all_again(store) == 2
    (best,) = await store.asearch(("s",), query=f"word{AT_ONCE + 1}", limit=1)
    assert best.key == f"k{AT_ONCE + 1:03}"


async def test_an_index_where_there_was_none(tmp_path: Path) -> None:
    bare = await open_store(tmp_path, StoreOptions())
    await fill(bare)
    await bare.close()
    options = StoreOptions(index={"embed": Embed("a"), "dims": DIMS, "fields": ["text"]}, index_name="one")
    store = await open_store(tmp_path, options)
    assert await all_again(store) == 3
    assert found(await store.asearch(("s",), query="blue sea", limit=1)) == [("sea", True)]
    await store.close()


@pytest.mark.parametrize("dims", [DIMS, 3])
async def test_vectors_from_before_they_had_a_number(tmp_path: Path, dims: int) -> None:
    path = tmp_path / STORE_FILE
    bring_up_to_date(path, (tables,))
    db = SqliteDb(path)
    await db.write(lambda: _old_items(dims))
    await db.close()
    embed = Embed("a")
    options = StoreOptions(index={"embed": embed, "dims": DIMS, "fields": ["text"]}, index_name="one")
    store = await open_store(tmp_path, options)
    # Of another length they cannot be those of this function. What had none was put with `index: false`.
    assert await all_again(store) == (0 if dims == DIMS else 1)
    assert found(await store.asearch(("s",), query="word")) == [("embedded", True), ("silent", False)]
    await store.close()


def _old_items(dims: int) -> Transition[None]:
    now = SqliteDialect().now
    yield "INSERT INTO namespace(ns, path) VALUES (1, 's.')", ()
    for seq, key in ((1, "embedded"), (2, "silent")):
        yield (
            f"INSERT INTO item(seq, ns, key, created_at, updated_at, value) VALUES (?, 1, ?, {now}, {now}, ?)",
            (seq, key, '{"text": "word"}'),
        )
    yield "INSERT INTO vector(seq, ns, dims, norm, data) VALUES (1, 1, ?, 1, ?)", (dims, bytes(4 * dims))


OLD_NAME = ["ALTER TABLE item_vector RENAME TO vector"]
WITHOUT_OWNERS = ["ALTER TABLE namespace DROP COLUMN owner", *OLD_NAME]
WITHOUT_NUMBERS = [
    "ALTER TABLE item_vector DROP COLUMN embedding",
    "CREATE INDEX vector_ns ON item_vector(dims, ns, seq, id)",
    "ALTER TABLE item DROP COLUMN paths, DROP COLUMN embedding",
    "DROP TABLE embedding",
    *WITHOUT_OWNERS,
]
BACK_TO = {3: OLD_NAME, 2: WITHOUT_OWNERS, 1: WITHOUT_NUMBERS}


@pytest.mark.parametrize("version", BACK_TO)
async def test_a_database_in_which_the_table_had_the_name_of_the_type(
    postgres: PostgresServer, version: int
) -> None:
    uri = postgres.database("renamed")
    await migrate(uri)
    for statement in [*BACK_TO[version], f"DELETE FROM store_schema_version WHERE version > {version}"]:
        postgres.execute(statement, "renamed")
    assert await migrate(uri) == len(STEPS) - version
    pool = await open_pool(uri, 2)
    options = StoreOptions(index={"embed": Embed("a"), "dims": DIMS, "fields": ["text"]}, index_name="one")
    store = await store_on(PostgresDb(pool, uri), options)
    await fill(store)
    assert found(await store.asearch(("s",), query="blue sea", limit=1)) == [("sea", True)]
    await store.close()
