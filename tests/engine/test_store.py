"""The store, with and without owners."""

import pytest

from robyn_server.errors import Forbidden, InvalidRequest


async def test_put_get_search_delete(engine):
    store = engine.store
    await store.put(["a", "b"], "k", {"n": 1})
    await store.put(["a", "c"], "l", {"n": 2})
    assert (await store.get(["a", "b"], "k")).value == {"n": 1}
    assert [item.key for item in await store.search(["a"], filter={"n": {"$gt": 1}})] == ["l"]
    assert len(await store.search(["a"], limit=0)) == 2
    assert await store.namespaces(prefix=["a"], max_depth=1) == [("a",)]
    await store.delete(["a", "b"], "k")
    await store.delete(["a", "b"], "k")
    assert await store.get(["a", "b"], "k") is None


async def test_refusals_are_in_the_stores_words(engine):
    with pytest.raises(InvalidRequest, match="^Namespace cannot be empty.$"):
        await engine.store.put([], "k", {})
    with pytest.raises(InvalidRequest, match='^Root label for namespace cannot be "langgraph"'):
        await engine.store.put(["langgraph"], "k", {})
    await engine.store.put(["a"], "k", {"n": 1})
    with pytest.raises(InvalidRequest, match=r"\$in"):
        await engine.store.search(["a"], filter={"n": {"$in": [1]}})


async def test_foreign_namespaces_look_empty_and_refuse_writes(acting_for):
    ann, bob = acting_for("ann"), acting_for("bob")
    await ann.store.put(["ann", "notes"], "k", {"n": 1})
    assert await bob.store.get(["ann", "notes"], "k") is None
    assert await bob.store.search(["ann"]) == []
    assert await bob.store.namespaces(prefix=["ann"]) == []
    assert await bob.store.namespaces() == []
    with pytest.raises(Forbidden):
        await bob.store.put(["ann"], "k", {})
    with pytest.raises(Forbidden):
        await bob.store.delete(["ann", "notes"], "k")
    assert await ann.store.namespaces() == [("ann", "notes")]
    assert [item.key for item in await ann.store.search([])] == ["k"]
