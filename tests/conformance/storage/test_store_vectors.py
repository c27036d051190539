"""Search in the store by meaning."""

import asyncio
import math
import operator
import random
import re
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from langchain_core.embeddings import Embeddings
from langgraph.store.base import PutOp, SearchItem

from robyn_server.settings import Settings
from robyn_server.storage.encryption.cipher import CLEAR, AesGcm, DerivedKeys
from robyn_server.storage.encryption.opening import Encryption
from robyn_server.storage.interfaces import Storage
from robyn_server.storage.opening import open_storage
from robyn_server.storage.persistence import Persistence
from robyn_server.storage.postgres_db import PostgresDb
from robyn_server.storage.store.sql_store import SqlStore, StoreOptions, store_on
from tests.postgres_server import PostgresServer

WORDS = 64


def bag_of_words(texts: Sequence[str]) -> list[list[float]]:
    vectors = [[0.0] * WORDS for _ in texts]
    for vector, text in zip(vectors, texts, strict=True):
        for word in re.findall(r"[a-z]+", text.lower()):
            vector[zlib.crc32(word.encode()) % WORDS] += 1.0
    return vectors


async def bag_of_words_later(texts: Sequence[str]) -> list[list[float]]:
    await asyncio.sleep(0)
    return bag_of_words(texts)


class Numbers(Embeddings):
    """Texts are numbers: each is the seed of its vector."""

    def __init__(self, dims: int) -> None:
        self.dims = dims

    def embed_query(self, text: str) -> list[float]:
        seeded = random.Random(int(text))
        return [seeded.gauss(0, 1) for _ in range(self.dims)]

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return [self.embed_query(text) for text in texts]


INDEX: Any = {"embed": bag_of_words, "dims": WORDS, "fields": ["text"]}
KINDS = ["sqlite", "sqlite sealed", "postgres", "postgres sealed", "pgvector"]


@pytest.fixture(params=KINDS)
async def opened(request: pytest.FixtureRequest, tmp_path: Path):
    kind, _, sealed = request.param.partition(" ")
    encryption = Encryption(AesGcm(DerivedKeys(bytes(32))) if sealed else CLEAR)
    uri = None if kind == "sqlite" else request.getfixturevalue(kind).database("vectors")
    settings = Settings(data_dir=tmp_path, database_uri=uri)
    storages: list[Storage] = []

    async def open_one(embed: Any = bag_of_words, dims: int = WORDS, fields: Sequence[str] = ("text",)):
        options = StoreOptions(index={"embed": embed, "dims": dims, "fields": list(fields)})
        storages.append(await open_storage(settings, Persistence(options), encryption))
        return storages[-1].store

    yield open_one
    for storage in storages:
        await storage.close()


async def fill(store: SqlStore) -> None:
    for n, text in enumerate(("red apple", "green pear", "red car", "blue sky")):
        await store.aput(("s", "x" if n % 2 else "y"), f"k{n}", {"n": n, "text": text})


def scores(found: Sequence[SearchItem]) -> list[tuple[str, float | None]]:
    return [(item.key, None if item.score is None else round(item.score, 4)) for item in found]


@pytest.mark.parametrize("embed", [bag_of_words, bag_of_words_later])
async def test_best_first_then_what_has_no_vector(opened, embed) -> None:
    store = await opened(embed)
    await fill(store)
    ranked = [("k0", 1.0), ("k2", 0.5), ("k1", 0.0), ("k3", 0.0)]
    assert scores(await store.asearch(("s",), query="red apple")) == ranked
    assert scores(await store.asearch(("s",), query="red apple", limit=2, offset=1)) == ranked[1:3]
    assert scores(await store.asearch(("s", "x"), query="red apple")) == ranked[2:]
    assert scores(await store.asearch(("s",), query="")) == [(f"k{n}", None) for n in (0, 2, 1, 3)]
    await store.aput(("s", "z"), "plain", {"text": "red apple"}, index=False)
    assert scores(await store.asearch(("s",), query="red apple", limit=4)) == ranked
    assert scores(await store.asearch(("s",), query="red apple")) == [*ranked, ("plain", None)]
    assert scores(await store.asearch(("s",), query="red apple", offset=4)) == [("plain", None)]


async def test_a_filter_comes_first(opened) -> None:
    store = await opened()
    await fill(store)
    await store.aput(("s",), "plain", {"n": 8, "text": "red"}, index=False)
    found = await store.asearch(("s",), query="red", filter={"n": {"$gt": 0}})
    assert scores(found) == [("k2", 0.7071), ("k1", 0.0), ("k3", 0.0), ("plain", None)]


async def test_an_overwritten_item_means_what_it_now_says(opened) -> None:
    store = await opened()
    await fill(store)
    await store.aput(("s", "y"), "k0", {"text": "blue"})
    assert scores(await store.asearch(("s",), query="blue", limit=2)) == [("k0", 1.0), ("k3", 0.7071)]
    await store.aput(("s", "y"), "k0", {"text": "blue"}, index=False)
    await store.adelete(("s", "x"), "k3")
    assert scores(await store.asearch(("s",), query="blue", limit=9))[0] == ("k2", 0.0)


async def test_several_texts_of_an_item_count_by_the_best(opened) -> None:
    store = await opened(fields=["text", "tags[*]"])
    await store.aput(("s",), "a", {"text": "red", "tags": ["blue", "green"]})
    await store.aput(("s",), "b", {"text": "blue car"})
    await store.aput(("s",), "c", {"other": "blue"}, index=["other"])
    assert scores(await store.asearch(("s",), query="blue")) == [("a", 1.0), ("c", 1.0), ("b", 0.7071)]


async def test_the_whole_value_is_embedded_by_default(opened) -> None:
    store = await opened(fields=["$"])
    await store.aput(("s",), "a", {"red": 1})
    await store.aput(("s",), "b", {"blue": 1})
    assert scores(await store.asearch(("s",), query="blue")) == [("b", 1.0), ("a", 0.0)]


async def test_threads_may_search_with_an_async_function(opened) -> None:
    store = await opened(bag_of_words_later)
    await fill(store)
    found = await asyncio.to_thread(store.search, ("s",), query="red apple", limit=1)
    assert scores(found) == [("k0", 1.0)]
    # The loop cannot wait for itself, and says so.
    with pytest.raises(ValueError, match="async"):
        store.search(("s",), query="red apple")


async def test_vectors_of_a_wrong_length_are_refused(opened) -> None:
    store = await opened(dims=3)
    with pytest.raises(ValueError, match="64 numbers, but store.index.dims is 3"):
        await store.aput(("s",), "k", {"text": "red"})
    assert await store.asearch(("s",)) == []


async def test_vectors_of_an_earlier_configuration_are_passed_over(opened) -> None:
    store = await opened()
    await fill(store)
    await store.close()
    store = await opened(Numbers(8), 8)
    await store.aput(("s",), "new", {"text": "1"})
    found = await store.asearch(("s",), query="1")
    assert scores(found) == [("new", 1.0), *((f"k{n}", None) for n in (0, 2, 1, 3))]


async def test_owners_search_among_their_own(opened) -> None:
    store = await opened()
    for owner, text in (("ann", "red apple"), ("bob", "red car")):
        await store.owned_by(owner).aput(("s",), "k", {"n": 1, "text": text})
    for wanted in (None, {"n": 1}):
        (best,) = await store.owned_by("bob").asearch(("s",), query="red apple", filter=wanted)
        assert (best.value["text"], best.score) == ("red car", pytest.approx(0.5))


@pytest.mark.parametrize("opened", ["pgvector"], indirect=True)
async def test_the_database_compares_what_was_there_before_its_extension(
    opened, pgvector: PostgresServer
) -> None:
    store = await opened()
    assert store._db.dialect.vectors == "public"
    pgvector.execute("DROP EXTENSION vector CASCADE", "vectors")
    pgvector.execute("ALTER TABLE item_vector DROP COLUMN IF EXISTS meaning", "vectors")
    brute = await store_on(PostgresDb(store._db._pool, store._db._uri), StoreOptions(index=INDEX))
    await fill(brute)
    before = scores(await brute.asearch(("s",), query="red apple"))
    store = await opened()
    assert pgvector.execute("SELECT count(*) FROM item_vector WHERE meaning IS NULL", "vectors") == [(0,)]
    pgvector.execute("UPDATE item_vector SET data = ''", "vectors")
    assert scores(await store.asearch(("s",), query="red apple")) == before
    assert scores(await store.asearch(("s",), query="zzz", filter={"n": {"$gt": 0}}))[0][0] == "k2"
    await store.aput(("s", "x"), "k9", {"n": 9, "text": "red apple pie"})
    assert scores(await store.asearch(("s",), query="apple pie"))[0][0] == "k9"
    await store.adelete(("s", "x"), "k9")


async def test_without_the_extension_it_is_said(
    postgres: PostgresServer, caplog: pytest.LogCaptureFixture
) -> None:
    if postgres.execute("SELECT 1 FROM pg_available_extensions WHERE name = 'vector'"):
        pytest.skip("this PostgreSQL has it")
    settings = Settings(database_uri=postgres.database("vectors"))
    await (await open_storage(settings)).close()
    assert "pgvector" not in caplog.text, "nobody asked for semantic search"
    await (await open_storage(settings, Persistence(StoreOptions(index=INDEX)))).close()
    assert "Install pgvector there" in caplog.text


@pytest.mark.parametrize("count", [50, 3000])
async def test_many_vectors_are_found_exactly(opened, count: int) -> None:
    numbers = Numbers(48)
    store = await opened(numbers, 48, ["n"])

    async def put(first: int, last: int) -> None:
        await store.abatch([PutOp(("s", str(n % 7)), str(n), {"n": n}) for n in range(first, last)])

    await put(0, count // 2)
    await store.asearch(("s",), query="5")
    await put(count // 2, count)
    for n in range(0, count, 3):
        await store.adelete(("s", str(n % 7)), str(n))
    vectors = {n: unit(numbers.embed_query(str(n))) for n in range(count) if n % 3}
    for query in (count + 1, count + 2, 7):
        asked = unit(numbers.embed_query(str(query)))
        expected = {n: sum(map(operator.mul, vector, asked)) for n, vector in vectors.items()}
        best = sorted(expected, key=expected.__getitem__, reverse=True)[:12]
        found = await store.asearch(("s",), query=str(query), limit=12)
        assert [int(item.key) for item in found] == best
        assert [item.score for item in found] == pytest.approx([expected[n] for n in best], abs=1e-6)


def unit(vector: Sequence[float]) -> list[float]:
    norm = math.hypot(*vector)
    return [number / norm for number in vector]


@pytest.mark.parametrize("opened", ["sqlite", "sqlite sealed"], indirect=True)
async def test_ten_thousand_vectors_take_milliseconds(opened) -> None:
    store = await opened(Numbers(384), 384, ["n"])
    shared = [[random.Random(n).gauss(0, 1) for _ in range(384)] for n in range(20)]
    # Made by hand: embedding ten thousand texts would take longer than all that is to be measured.
    rows = [store._embedder.vectors.pack(vector[n % 384 :] + vector[: n % 384])
            for n in range(500) for vector in shared]  # fmt: skip
    await store._db.write(lambda: many(rows, store._embedder.vectors.embedding))
    await store.asearch(("s",), query="1")
    loop = asyncio.get_running_loop()
    took = []
    for query in range(5):
        began = loop.time()
        assert len(await store.asearch(("s",), query=str(query))) == 10
        took.append(loop.time() - began)
    assert min(took) < 0.1, took


def many(rows: Sequence[tuple[bytes, float]], embedding: int):
    yield "INSERT INTO namespace(ns, path) VALUES (1, 's.')", ()
    for n, (data, norm) in enumerate(rows, 1):
        item = "INSERT INTO item(seq, ns, key, created_at, updated_at, value) VALUES (?, 1, ?, 0, 0, '{}')"
        yield item, (n, str(n))
        vector = "INSERT INTO item_vector(seq, ns, dims, norm, data, embedding) VALUES (?, 1, ?, ?, ?, ?)"
        yield vector, (n, len(data) // 4, norm, data, embedding)
