"""Search in the store by namespace and filter, and its order."""

from typing import Any

import pytest
from langgraph.store.base import BaseStore

from robyn_server.storage.interfaces import Storage

TEXTS = ("red apple", "green pear", "red car", "blue sky")


@pytest.fixture
async def store(storage: Storage) -> BaseStore:
    for n, text in enumerate(TEXTS):
        value = {"n": n, "even": n % 2 == 0, "deep": {"m": n, "x": 0}, "l": [n], "text": text}
        await storage.store.aput(("s", "x" if n % 2 else "y"), f"k{n}", value)
    return storage.store


async def keys(store: BaseStore, *prefix: str, **asked: Any) -> list[str]:
    return [item.key for item in await store.asearch(prefix, **asked)]


async def test_the_order_is_that_of_namespaces_then_of_items(store: BaseStore) -> None:
    assert await keys(store) == ["k0", "k2", "k1", "k3"]
    assert await keys(store, "s", limit=2) == ["k0", "k2"]
    assert await keys(store, "s", limit=2, offset=1) == ["k2", "k1"]
    assert await keys(store, "s", offset=9) == []
    assert await keys(store, "s", limit=0) == []
    assert await keys(store, "s", offset=-1) == ["k0", "k2", "k1", "k3"]


async def test_a_prefix_is_whole_labels(store: BaseStore) -> None:
    await store.aput(("sx",), "other", {})
    await store.aput(("s",), "root", {})
    assert await keys(store, "s", "x") == ["k1", "k3"]
    assert await keys(store, "s") == ["k0", "k2", "k1", "k3", "root"]
    assert await keys(store, "x") == []


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({}, ["k0", "k2", "k1", "k3"]),
        ({"n": 1}, ["k1"]),
        ({"n": 1.0}, ["k1"]),
        ({"even": True}, ["k0", "k2"]),
        ({"even": True, "n": 2}, ["k2"]),
        ({"deep": {"m": 2}}, ["k2"]),
        ({"deep": {"m": {"$gte": 2}}}, ["k2", "k3"]),
        ({"deep": {"$eq": {"m": 2}}}, []),
        ({"deep": {"$eq": {"m": 2, "x": 0}}}, ["k2"]),
        ({"l": [3]}, ["k3"]),
        ({"l": []}, []),
        ({"n": {"$ne": 2}}, ["k0", "k1", "k3"]),
        ({"n": {"$gt": 2}}, ["k3"]),
        ({"n": {"$gte": 2}}, ["k2", "k3"]),
        ({"n": {"$lt": 2}}, ["k0", "k1"]),
        ({"n": {"$lte": 2}}, ["k0", "k2", "k1"]),
        ({"n": {"$gt": 0, "$lt": 3}}, ["k2", "k1"]),
        ({"n": {"$gt": "1"}}, ["k2", "k3"]),
        ({"n": {"$gt": None}}, []),
        ({"text": {"$gt": "red"}}, ["k0", "k2"]),
        ({"missing": {"$gt": 0}}, []),
        ({"missing": None}, ["k0", "k2", "k1", "k3"]),
        ({"missing": {"$ne": 1}}, ["k0", "k2", "k1", "k3"]),
        ({"missing": 1}, []),
    ],
)
async def test_filters(store: BaseStore, wanted: dict[str, Any], found: list[str]) -> None:
    assert await keys(store, "s", filter=wanted) == found


@pytest.mark.parametrize("wanted", [{"n": {"$in": [1]}}, {"n": {"$gt": 0, "x": 1}}, {"l": [{"$nin": 1}]}])
async def test_unknown_operators_are_refused(store: BaseStore, wanted: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="^Unsupported operator: "):
        await store.asearch(("nothing", "here"), filter=wanted)


async def test_a_filter_looks_beyond_its_first_page(store: BaseStore) -> None:
    for n in range(700):
        await store.aput(("many", str(n % 3)), str(n), {"n": n, "rare": n % 100 == 0})
    found = await keys(store, "many", filter={"rare": True}, limit=100)
    assert sorted(map(int, found)) == list(range(0, 700, 100))
    assert await keys(store, "many", filter={"rare": True}, limit=2, offset=5) == found[5:7]


async def test_without_an_index_a_query_is_a_listing(store: BaseStore) -> None:
    found = await store.asearch(("s",), query="red")
    assert [(item.key, item.score) for item in found] == [(f"k{n}", None) for n in (0, 2, 1, 3)]
