"""The store, with and without owners."""

import pytest

from robyn_server.errors import Forbidden, InvalidRequest
from robyn_server.resources.caller import Caller
from robyn_server.resources.ids import random_id


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


async def test_a_name_that_is_no_users_is_everybodys_own(acting_for):
    ann, bob = acting_for("ann"), acting_for("bob")
    await ann.store.put(["memories"], "k", {"n": 1})
    assert await bob.store.get(["memories"], "k") is None
    await bob.store.put(["memories"], "k", {"n": 2})
    assert (await ann.store.get(["memories"], "k")).value == {"n": 1}
    assert [item.value for item in await bob.store.search(["memories"])] == [{"n": 2}]


async def test_an_id_may_begin_a_namespace_if_it_is_of_the_callers_own(acting_for):
    ann, bob = acting_for("ann"), acting_for("bob")
    assistant = (await ann.assistants.create("steps")).assistant_id
    thread = (await ann.threads.create()).thread_id
    for label in (assistant, thread):
        await ann.store.put([label, "files"], "k", {"n": 1})
        for verb in (bob.store.put([label, "files"], "k", {"n": 2}), bob.store.delete([label, "files"], "k")):
            with pytest.raises(Forbidden):
                await verb
        assert await bob.store.get([label, "files"], "k") is None
    with pytest.raises(Forbidden):
        await ann.store.put([random_id()], "k", {})


async def test_without_owners_and_for_the_operator_all_is_one(parts, engine, acting_for):
    await engine.store.put([random_id()], "k", {"n": 1})
    await acting_for("ann").store.put(["memories"], "k", {"n": 2})
    operator = acting_for("ann").acting_for(Caller("studio", is_service=True))
    for everybody in (engine, operator):
        assert (await everybody.store.get(["memories"], "k")).value == {"n": 2}
        assert len(await everybody.store.search([])) == 2
