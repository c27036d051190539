"""Assistants over real storage and graphs."""

import pytest

from robyn_server.errors import Conflict, InvalidRequest, NotFound, Unprocessable
from robyn_server.resources.assistant import AssistantSearch
from robyn_server.resources.ids import random_id, system_assistant_id


async def test_every_graph_has_an_assistant_in_the_order_of_the_file(engine):
    page = await engine.assistants.search(AssistantSearch(metadata={"created_by": "system"}))
    assert [one.graph_id for one in page.items] == ["nested", "chat", "steps"]
    assert [one.name for one in page.items] == ["nested", "chat", "Two Steps"]
    assert page.items[1].description == "Says it back"
    assert page.items[2].assistant_id == system_assistant_id("steps")


async def test_a_second_start_changes_nothing(engine):
    await engine.assistants.register_system_assistants()
    assert (await engine.assistants.get(system_assistant_id("chat"))).version == 1
    await engine.assistants.update(system_assistant_id("chat"), name="other")
    await engine.assistants.register_system_assistants()
    again = await engine.assistants.get(system_assistant_id("chat"))
    assert (again.name, again.version) == ("chat", 3)


async def test_configurable_and_context_mirror_each_other(engine):
    by_config = await engine.assistants.create("steps", config={"configurable": {"a": 1}, "tags": ["t"]})
    assert by_config.context == {"a": 1}
    by_context = await engine.assistants.create("steps", context={"b": 2})
    assert by_context.config == {"configurable": {"b": 2}}
    with pytest.raises(InvalidRequest, match="Cannot specify both"):
        await engine.assistants.create("steps", config={"configurable": {"a": 1}}, context={"b": 2})
    patched = await engine.assistants.update(by_config.assistant_id, config={"tags": ["x"]})
    assert (patched.config, patched.context) == ({"tags": ["x"]}, {"a": 1})


async def test_reserved_keys_vanish(engine):
    made = await engine.assistants.create(
        "steps",
        metadata={"run_id": 1, "mine": 1},
        config={"configurable": {"langgraph_auth_user": 1, "k": 2}, "metadata": {"run_id": 1, "z": 2}},
    )
    assert made.metadata == {"mine": 1}
    assert made.config == {"configurable": {"k": 2}, "metadata": {"z": 2}}


async def test_a_taken_id(engine):
    first = await engine.assistants.create("steps", name="first")
    with pytest.raises(Conflict, match=f"Assistant {first.assistant_id} already exists"):
        await engine.assistants.create("chat", assistant_id=first.assistant_id)
    again = await engine.assistants.create("chat", assistant_id=first.assistant_id, if_exists="do_nothing")
    assert (again.name, again.graph_id) == ("first", "steps")


async def test_unknown_graph_is_named_with_those_that_exist(engine):
    with pytest.raises(
        NotFound, match=r"Graph 'x' not found. Expected one of: \['chat', 'nested', 'steps'\]"
    ):
        await engine.assistants.create("x")


async def test_what_a_run_may_name(engine):
    system = await engine.assistants.resolve("steps")
    assert system.assistant_id == system_assistant_id("steps")
    assert await engine.assistants.resolve(system.assistant_id.upper()) == system
    with pytest.raises(Unprocessable, match="One of the registered graphs: steps, chat, nested"):
        await engine.assistants.resolve("nope")
    with pytest.raises(NotFound, match="Thread or assistant not found."):
        await engine.assistants.resolve(random_id())


async def test_versions_and_going_back(engine):
    made = await engine.assistants.create("steps", name="one", description="d")
    await engine.assistants.update(made.assistant_id, name="two", graph_id="chat", metadata={"m": 1})
    back = await engine.assistants.set_latest(made.assistant_id, 1)
    assert (back.name, back.graph_id, back.version) == ("one", "chat", 1)
    assert (await engine.assistants.update(made.assistant_id)).version == 3
    versions = await engine.assistants.versions(made.assistant_id, limit=2)
    assert [one.version for one in versions] == [3, 2]
    with pytest.raises(NotFound):
        await engine.assistants.versions(made.assistant_id, offset=9)
    with pytest.raises(NotFound, match="Version None not found for assistant"):
        await engine.assistants.set_latest(made.assistant_id, None)


async def test_delete_takes_crons_and_asked_for_threads(engine, queue_run):
    made = await engine.assistants.create("steps")
    other = await engine.threads.create()
    mine = await engine.threads.create()
    await engine.threads.update(mine.thread_id, metadata={})
    run = await queue_run(mine.thread_id, made.assistant_id)
    await engine.parts.storage.threads.patch(mine.thread_id, {"assistant_id": made.assistant_id})
    cron = await engine.crons.create({"assistant_id": made.assistant_id, "schedule": "@daily"})
    await engine.assistants.delete(made.assistant_id, delete_threads=True)
    assert await engine.parts.storage.runs.get(run.run_id) is None
    for gone in (engine.threads.get(mine.thread_id), engine.crons.get(cron.cron_id)):
        with pytest.raises(NotFound):
            await gone
    assert await engine.threads.get(other.thread_id)


async def test_delete_stops_runs_and_leaves_their_threads(engine, queue_run):
    made = await engine.assistants.create("steps")
    thread = await engine.threads.create()
    run = await queue_run(thread.thread_id, made.assistant_id)
    await engine.assistants.delete(made.assistant_id)
    stopped = await engine.parts.storage.runs.get(run.run_id)
    assert stopped is not None and stopped.status == "interrupted"


async def test_delete_does_not_open_the_runs_of_other_assistants(engine, parts, queue_run):
    """They may be many, and sealed under keys of other users."""
    made = await engine.assistants.create("steps")
    thread, other = [await engine.threads.create() for _ in range(2)]
    run = await queue_run(thread.thread_id, made.assistant_id)
    unreadable = await queue_run(other.thread_id, system_assistant_id("steps"))

    def spoil():
        yield "UPDATE run SET kwargs = '{' WHERE run_id = ?", (unreadable.run_id,)

    await parts.storage.runs._db.write(spoil)
    await engine.assistants.delete(made.assistant_id)
    stopped = await parts.storage.runs.get(run.run_id)
    assert stopped is not None and stopped.status == "interrupted"


async def test_delete_takes_the_thread_of_a_stateless_run_that_has_not_begun(engine, parts):
    assistant = await engine.assistants.create("steps")
    run = await engine.runs.create_stateless({"assistant_id": assistant.assistant_id, "input": {}})
    await engine.assistants.delete(assistant.assistant_id)
    assert await parts.storage.threads.get(run.thread_id) is None
    assert await parts.storage.runs.get(run.run_id) is None


async def test_looking_into_graphs(engine):
    made = await engine.assistants.create("nested")
    assert {node["id"] for node in (await engine.assistants.graph("nested"))["nodes"]} >= {"top", "child"}
    assert list(await engine.assistants.subgraphs(made.assistant_id)) == ["child"]
    assert (await engine.assistants.schemas(made.assistant_id))["graph_id"] == "nested"
    with pytest.raises(Unprocessable, match="Invalid assistant ID: must be a UUID"):
        await engine.assistants.graph("nope")


async def test_foreign_assistants_look_missing_and_system_ones_are_for_all(acting_for):
    ann, bob = acting_for("ann"), acting_for("bob")
    made = await ann.assistants.create("steps", metadata={"owner": "bob"})
    assert made.metadata == {"owner": "ann"}
    for refused in (
        bob.assistants.get(made.assistant_id),
        bob.assistants.update(made.assistant_id, name="x"),
        bob.assistants.delete(made.assistant_id),
        bob.assistants.versions(made.assistant_id),
        bob.assistants.resolve(made.assistant_id),
        bob.assistants.update(system_assistant_id("steps"), name="x"),
    ):
        with pytest.raises(NotFound):
            await refused
    assert (await bob.assistants.get(system_assistant_id("steps"))).name == "Two Steps"
    assert (await bob.assistants.resolve("steps")).graph_id == "steps"
    with pytest.raises(Conflict):
        await bob.assistants.create("steps", assistant_id=made.assistant_id, if_exists="do_nothing")
