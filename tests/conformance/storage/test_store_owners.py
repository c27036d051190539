"""Whose an item is: everybody sees his own, whatever the namespace is called."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from langgraph.store.base import BaseStore, GetOp, PutOp, SearchOp
from langgraph.store.memory import InMemoryStore

from robyn_server.settings import Settings
from robyn_server.storage import postgres as on_postgres
from robyn_server.storage.interfaces import Storage
from robyn_server.storage.migrations import bring_up_to_date
from robyn_server.storage.sqlite_connection import connect
from robyn_server.storage.store.fence import FencedStore
from robyn_server.storage.store.schema import STEPS, owners
from robyn_server.storage.store.sql_store import STORE_FILE, SqlStore, StoreOptions, open_store
from tests.conformance.storage.test_store_vectors import WORDS, bag_of_words
from tests.postgres_server import PostgresServer

ANN, BOB = "00000000-0000-0000-0000-00000000000a", "bob.of.the.robots"
SHARED = ("memories", "facts")


@pytest.fixture
def whose(storage: Storage) -> Callable[[str | None], BaseStore]:
    return storage.store_of


async def value(store: BaseStore, namespace: tuple[str, ...], key: str = "k") -> Any:
    found = await store.aget(namespace, key)
    return None if found is None else (found.namespace, found.value["v"])


async def values(store: BaseStore, *prefix: str, **asked: Any) -> list[Any]:
    return [item.value["v"] for item in await store.asearch(prefix, **asked)]


async def test_the_same_place_is_another_for_everybody(whose) -> None:
    ann, bob = whose(ANN), whose(BOB)
    await ann.aput(SHARED, "k", {"v": "ann's"})
    assert await value(bob, SHARED) is None
    assert await values(bob) == await values(bob, "memories") == []
    assert await bob.alist_namespaces() == await bob.alist_namespaces(suffix=("facts",)) == []
    await bob.adelete(SHARED, "k")
    await bob.aput(SHARED, "k", {"v": "bob's"})
    for store, mine in ((ann, "ann's"), (bob, "bob's")):
        assert await value(store, SHARED) == (SHARED, mine)
        assert (
            await values(store) == await values(store, *SHARED) == await values(store, "memories") == [mine]
        )
        assert await values(store, filter={"v": {"$ne": "x"}}) == [mine]
        for asked in ({}, {"prefix": ("*", "facts")}, {"prefix": ("memories",)}, {"suffix": ("facts",)}):
            assert await store.alist_namespaces(**asked) == [SHARED]
    await ann.adelete(SHARED, "k")
    assert await value(ann, SHARED) is None
    assert await value(bob, SHARED) == (SHARED, "bob's")


async def test_methods_for_threads_and_batches_keep_to_it(whose) -> None:
    await asyncio.to_thread(whose(ANN).put, SHARED, "k", {"v": 1})
    ops = [GetOp(SHARED, "k"), SearchOp(()), PutOp(SHARED, "k", {"v": 2})]
    assert (await whose(BOB).abatch(ops))[:2] == [None, []]
    found = await asyncio.to_thread(whose(ANN).batch, ops[:2])
    assert found[0].value == found[1][0].value == {"v": 1}


async def test_a_namespace_that_begins_with_another_users_id_looks_empty_and_refuses_writes(whose) -> None:
    ann, eve = whose(ANN), whose("eve")
    await ann.aput((ANN, "notes"), "k", {"v": 1})
    assert await value(eve, (ANN, "notes")) is None
    assert await values(eve, ANN) == []
    assert await eve.alist_namespaces(prefix=(ANN,)) == []
    for refused in (
        eve.aput((ANN, "notes"), "k", {"v": 2}),
        eve.aput((ANN,), "mine", {"v": 2}),
        eve.adelete((ANN, "notes"), "k"),
        eve.abatch([PutOp(("eve",), "k", {"v": 2}), PutOp((ANN,), "k", {"v": 2})]),
        asyncio.to_thread(eve.put, (ANN, "notes"), "k", {"v": 2}),
    ):
        with pytest.raises(PermissionError, match=f"begin with '{ANN}' belong to another user"):
            await refused
    assert await values(eve) == []
    assert await value(ann, (ANN, "notes")) == ((ANN, "notes"), 1)


async def test_who_came_first_to_a_name_that_is_a_users_later_keeps_his_and_sees_no_more(whose) -> None:
    await whose(ANN).aput(("eve", "notes"), "k", {"v": "ann's"})
    await whose("eve").aput(("eve", "notes"), "k", {"v": "eve's"})
    assert await values(whose(ANN)) == await values(whose(ANN), "eve") == ["ann's"]
    assert await values(whose("eve")) == await values(whose("eve"), "eve") == ["eve's"]


async def test_what_has_no_owner_is_his_whose_id_it_begins_with_and_else_nobodys(whose) -> None:
    everybody = whose(None)
    await everybody.aput((ANN, "notes"), "k", {"v": "for ann"})
    await everybody.aput(("memories",), "k", {"v": "nobody's"})
    assert await values(whose(ANN)) == await values(whose(ANN), ANN) == ["for ann"]
    assert await whose(ANN).alist_namespaces() == [(ANN, "notes")]
    assert await value(whose(ANN), ("memories",)) is None
    await whose(ANN).aput((ANN, "notes"), "k", {"v": "changed"})
    assert await values(everybody, ANN) == ["changed"]
    await whose(ANN).aput(("memories",), "k", {"v": "ann's"})
    assert await value(everybody, ("memories",)) == (("memories",), "nobody's")


async def test_without_an_owner_all_is_seen_and_changed(whose) -> None:
    everybody = whose(None)
    await whose(ANN).aput(SHARED, "a", {"v": "ann's"})
    await whose(BOB).aput(SHARED, "b", {"v": "bob's"})
    await everybody.aput(("memories", "-"), "a", {"v": "another place"})
    assert sorted(await values(everybody, *SHARED)) == ["ann's", "bob's"]
    assert await everybody.alist_namespaces() == [("memories", "-"), SHARED]
    assert await value(everybody, SHARED, "b") == (SHARED, "bob's")
    assert await value(everybody, ("memories",), "a") is None
    await everybody.aput(SHARED, "b", {"v": "corrected"})
    assert await value(whose(BOB), SHARED, "b") == (SHARED, "corrected")
    await everybody.adelete(SHARED, "b")
    assert await value(whose(BOB), SHARED, "b") is None
    await everybody.aput(SHARED, "c", {"v": "nobody's"})
    assert await values(whose(ANN)) == ["ann's"]


async def test_search_by_meaning_finds_ones_own_only(storage: Storage) -> None:
    database = storage.store._db  # type: ignore[attr-defined]
    store = SqlStore(database, StoreOptions(index={"embed": bag_of_words, "dims": WORDS, "fields": ["text"]}))
    for owner in (ANN, BOB):
        await store.owned_by(owner).aput(SHARED, owner, {"text": f"a red apple of {owner}"})
    for prefix in ((), ("memories",)):
        (found,) = await store.owned_by(ANN).asearch(prefix, query="red apple")
        assert found.key == ANN
        assert found.score is not None
    assert len(await store.asearch((), query="red apple")) == 2


OLD = (
    "INSERT INTO namespace(ns, path) VALUES (101, '{ann}.notes.'), (102, 'memories.')",
    "INSERT INTO item(ns, key, created_at, updated_at, value) VALUES"
    " (101, 'k', {now}, {now}, '{{\"v\": 1}}'), (102, 'k', {now}, {now}, '{{\"v\": 2}}')",
)


OWNERS_STEP = STEPS.index(owners)


async def test_a_store_from_before_owners_is_nobodys(tmp_path: Path) -> None:
    bring_up_to_date(tmp_path / STORE_FILE, STEPS[:OWNERS_STEP])
    db = connect(tmp_path / STORE_FILE)
    for statement in OLD:
        db.execute(statement.format(ann=ANN, now="1.0"))
    db.close()
    store = await open_store(tmp_path, StoreOptions())
    await check_old(store.owned_by(ANN), store)
    await store.close()


async def test_so_is_one_on_postgresql(postgres: PostgresServer, tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, database_uri=postgres.database("unowned"))
    await (await on_postgres.open_storage(settings)).close()
    for statement in (
        "DROP INDEX namespace_owner",
        "ALTER TABLE namespace DROP COLUMN owner",
        f"DELETE FROM store_schema_version WHERE version > {OWNERS_STEP}",
        *(old.format(ann=ANN, now="now()") for old in OLD),
    ):
        postgres.execute(statement, "unowned")
    storage = await on_postgres.open_storage(settings)
    await check_old(storage.store_of(ANN), storage.store)
    await storage.close()


async def check_old(ann: BaseStore, everybody: BaseStore) -> None:
    assert await values(ann) == [1]
    assert await values(everybody) == [1, 2]
    await ann.aput(("memories",), "k", {"v": 3})
    assert sorted(await values(everybody)) == [1, 2, 3]


async def test_a_store_that_knows_no_owners_is_fenced_in() -> None:
    theirs = InMemoryStore()
    ann, eve = FencedStore(theirs, ANN), FencedStore(theirs, "eve")
    await ann.aput((ANN, "notes"), "k", {"v": 1})
    await theirs.aput(("memories",), "k", {"v": 2})
    await asyncio.to_thread(eve.put, ("eve", "notes"), "k", {"v": 3})
    for store, owner, mine in ((ann, ANN, 1), (eve, "eve", 3)):
        assert await values(store) == await values(store, owner) == [mine]
        assert (
            await store.alist_namespaces()
            == await store.alist_namespaces(prefix=("*",))
            == [(owner, "notes")]
        )
    for foreign in (ANN, "memories"):
        assert await values(eve, foreign) == await eve.alist_namespaces(prefix=(foreign,)) == []
        for refused in (eve.aput((foreign,), "k", {}), eve.adelete((foreign, "notes"), "k")):
            with pytest.raises(PermissionError, match="begin with your own user id"):
                await refused
    assert await value(eve, (ANN, "notes")) is None
    assert await value(ann, (ANN, "notes")) == ((ANN, "notes"), 1)
