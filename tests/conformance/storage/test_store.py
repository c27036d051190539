"""Long-term memory: items, namespaces, time to live."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from langgraph.store.base import GetOp, InvalidNamespaceError, PutOp, SearchOp, TTLConfig

from robyn_server.errors import StartupError, Unavailable
from robyn_server.storage.encryption.cipher import Cipher
from robyn_server.storage.interfaces import Storage
from robyn_server.storage.sqlite_connection import connect
from robyn_server.storage.store.sql_store import STORE_FILE, SqlStore, StoreOptions, open_store
from tests.waiting import until

Open = Callable[..., Awaitable[SqlStore]]
SOON = 0.05 / 60
"""Minutes."""


@pytest.fixture
async def opened(tmp_path: Path, cipher: Cipher):
    stores = []

    async def open_one(ttl: TTLConfig | None = None) -> SqlStore:
        stores.append(await open_store(tmp_path, StoreOptions(ttl), cipher=cipher))
        return stores[-1]

    yield open_one
    for store in stores:
        await store.close()


async def gone(store: SqlStore, namespace: tuple[str, ...], key: str) -> None:
    """Wait until the item is no longer seen."""
    await asyncio.to_thread(until, lambda: store.get(namespace, key, refresh_ttl=False) is None)


async def test_an_item_comes_back_as_it_was_put(storage: Storage) -> None:
    value = {"f": 1.5, "i": 10**15, "n": None, "l": [1, "a", None], "u": "héllo ☃", "d": {"x": {}}}
    await storage.store.aput(("users", "ada"), "k é/.", value)
    found = await storage.store.aget(("users", "ada"), "k é/.")
    assert found is not None
    assert (found.value, found.key, found.namespace) == (value, "k é/.", ("users", "ada"))
    assert found.created_at == found.updated_at and found.created_at.tzinfo is not None
    assert await storage.store.aget(("users",), "k é/.") is None


async def test_overwriting_keeps_the_time_of_creation_and_the_place(storage: Storage) -> None:
    store = storage.store
    await store.aput(("n",), "a", {"v": 1})
    await store.aput(("n",), "b", {"v": 1})
    first = await store.aget(("n",), "a")
    await store.aput(("n",), "a", {"v": 2})
    second = await store.aget(("n",), "a")
    assert first is not None and second is not None
    assert second.created_at == first.created_at < second.updated_at
    assert [item.key for item in await store.asearch(("n",))] == ["a", "b"]
    await store.adelete(("n",), "a")
    await store.aput(("n",), "a", {"v": 3})
    assert [item.key for item in await store.asearch(("n",))] == ["b", "a"]


async def test_what_is_put_is_what_the_value_was_then(storage: Storage) -> None:
    value = {"v": 1}
    putting = asyncio.create_task(storage.store.aput(("n",), "k", value))
    await asyncio.sleep(0)
    value["v"] = 2
    await putting
    found = await storage.store.aget(("n",), "k")
    assert found is not None and found.value == {"v": 1}


async def test_one_callers_mistake_is_not_the_others(storage: Storage) -> None:
    store = storage.store
    results = await asyncio.gather(
        store.aput(("n",), "good", {"v": 1}),
        store.aput(("n",), "bad", {"v": 2**70}),
        store.asearch(("n",), filter={"v": {"$in": [1]}}),
        store.aput(("n",), "good too", {"v": 1}),
        return_exceptions=True,
    )
    assert [type(result) for result in results] == [type(None), TypeError, ValueError, type(None)]
    assert {item.key for item in await store.asearch(("n",))} == {"good", "good too"}


async def test_a_batch_answers_in_order_and_reads_before_it_writes(storage: Storage) -> None:
    await storage.store.aput(("n",), "k", {"v": 1})
    results = await storage.store.abatch(
        [PutOp(("n",), "k", {"v": 2}), GetOp(("n",), "k"), PutOp(("n",), "k", {"v": 3}), SearchOp(("n",))]
    )
    assert results[0] is None and results[2] is None
    assert results[1].value == {"v": 1} and [item.value for item in results[3]] == [{"v": 1}]
    assert (await storage.store.aget(("n",), "k")).value == {"v": 3}


async def test_names_are_checked_also_in_a_batch(storage: Storage) -> None:
    for op in (PutOp(("a.b",), "k", {}), GetOp(("",), "k"), SearchOp(("a.b",))):
        with pytest.raises(InvalidNamespaceError):
            await storage.store.abatch([op])
    with pytest.raises(ValueError, match="^Namespace cannot be empty.$"):
        await storage.store.aput((), "k", {})


async def test_graph_code_in_threads_and_on_the_loop(storage: Storage) -> None:
    def in_a_thread() -> list[str]:
        storage.store.put(("n",), "thread", {"v": 1})
        return [item.key for item in storage.store.search(("n",))]

    assert await asyncio.to_thread(in_a_thread) == ["thread"]
    storage.store.put(("n",), "loop", {"v": 1})
    assert storage.store.get(("n",), "loop") is not None
    storage.store.delete(("n",), "loop")
    assert storage.store.list_namespaces() == [("n",)]
    with pytest.raises(ValueError, match=r"^Unsupported operator: \$in$"):
        storage.store.search(("n",), filter={"v": {"$in": [1]}})


async def test_namespaces(storage: Storage) -> None:
    store = storage.store
    for namespace in (("z", "c"), ("a",), ("a", "b"), ("a", "b", "c"), ("ab",)):
        await store.aput(namespace, "k", {})
    everything = [("a",), ("a", "b"), ("a", "b", "c"), ("ab",), ("z", "c")]
    assert await store.alist_namespaces() == everything
    assert await store.alist_namespaces(prefix=("a",)) == everything[:3]
    assert await store.alist_namespaces(prefix=("*", "b")) == everything[1:3]
    assert await store.alist_namespaces(suffix=("c",)) == [("a", "b", "c"), ("z", "c")]
    assert await store.alist_namespaces(suffix=("b", "*")) == [("a", "b", "c")]
    assert await store.alist_namespaces(max_depth=1) == [("a",), ("ab",), ("z",)]
    assert await store.alist_namespaces(limit=2, offset=1) == everything[1:3]
    assert await store.alist_namespaces(limit=0) == []


async def test_an_emptied_namespace_is_no_longer_listed(storage: Storage) -> None:
    await storage.store.aput(("n",), "k", {})
    await storage.store.adelete(("n",), "k")
    await storage.store.adelete(("n",), "k")
    assert await storage.store.aget(("other",), "k") is None
    assert await storage.store.alist_namespaces() == []


async def test_items_outlive_the_store_that_wrote_them(opened: Open) -> None:
    store = await opened()
    puts = [asyncio.create_task(store.aput(("many",), str(n), {"n": n})) for n in range(200)]
    await asyncio.sleep(0)
    await store.close()
    await asyncio.gather(*puts)
    store = await opened()
    assert [item.value["n"] for item in await store.asearch(("many",), limit=500)] == list(range(200))
    await store.close()
    with pytest.raises(Unavailable):
        await store.aput(("many",), "late", {})


async def test_an_item_lives_as_long_as_it_was_told(opened: Open) -> None:
    store = await opened()
    await store.aput(("short",), "k", {"v": 1}, ttl=SOON)
    await store.aput(("long",), "k", {"v": 1})
    await gone(store, ("short",), "k")
    assert await store.asearch(("short",)) == []
    assert await store.alist_namespaces() == [("long",)]
    assert await store.sweep() == 1 and await store.sweep() == 0
    assert [item.namespace for item in await store.asearch(())] == [("long",)]


async def test_what_is_put_over_an_item_that_is_over_is_new(opened: Open) -> None:
    store = await opened()
    await store.aput(("n",), "k", {"v": 1}, ttl=SOON)
    first = await store.aget(("n",), "k")
    await gone(store, ("n",), "k")
    await store.aput(("n",), "k", {"v": 2})
    second = await store.aget(("n",), "k")
    assert first is not None and second is not None and second.created_at > first.created_at
    assert await store.sweep() == 0


async def test_default_time_to_live_and_refresh_on_read(opened: Open, tmp_path: Path) -> None:
    def ends_at() -> float | None:
        with connect(tmp_path / STORE_FILE) as reader:
            end: float | None = reader.execute("SELECT expires_at FROM item").fetchone()[0]
        reader.close()
        return end

    store = await opened({"default_ttl": 10, "refresh_on_read": True})
    await store.aput(("n",), "k", {"v": 1})
    put = ends_at()
    await store.aget(("n",), "k", refresh_ttl=False)
    assert put is not None and ends_at() == put
    await store.aget(("n",), "k")
    got = ends_at()
    await store.asearch(("n",))
    searched = ends_at()
    assert got is not None and searched is not None and put < got < searched
    await store.aput(("n",), "k", {"v": 1}, ttl=None)
    assert ends_at() is None


async def test_a_file_of_a_newer_server_is_refused(opened: Open, tmp_path: Path) -> None:
    await (await opened()).close()
    with connect(tmp_path / STORE_FILE) as writer:
        writer.execute("INSERT INTO schema_version(version) VALUES (99)")
    writer.close()
    with pytest.raises(StartupError, match="newer server"):
        await opened()
