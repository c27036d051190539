"""Threads, their state and their history through the real SDK."""

import uuid

import pytest
from langgraph_sdk.client import LangGraphClient
from langgraph_sdk.errors import ConflictError, NotFoundError

from tests.http.test_runs import SLOW, STEPS, thread_of, until_status


async def test_threads(client: LangGraphClient) -> None:
    mark = str(uuid.uuid4())
    thread = await client.threads.create(metadata={"mark": mark})
    thread_id = thread["thread_id"]
    assert (thread["status"], thread["values"]) == ("idle", None)
    with pytest.raises(ConflictError):
        await client.threads.create(thread_id=thread_id)
    same = await client.threads.create(thread_id=thread_id, if_exists="do_nothing")
    assert same["metadata"]["mark"] == mark
    await client.threads.update(thread_id, metadata={"more": 1})
    found = await client.threads.search(metadata={"mark": mark})
    assert [one["thread_id"] for one in found] == [thread_id]
    assert found[0]["metadata"] == {"mark": mark, "more": 1}
    assert await client.threads.count(metadata={"mark": mark}) == 1
    await client.threads.delete(thread_id)
    with pytest.raises(NotFoundError):
        await client.threads.get(thread_id)


async def test_state_after_a_run(client: LangGraphClient) -> None:
    thread_id = await thread_of(client)
    empty = await client.threads.get_state(thread_id)
    assert (empty["values"], empty["next"]) == ({}, [])
    await client.runs.wait(thread_id, "steps", input={"log": []})
    state = await client.threads.get_state(thread_id)
    assert (state["values"], state["next"]) == ({"log": STEPS}, [])
    thread = await client.threads.get(thread_id)
    assert (thread["status"], thread["values"]) == ("idle", {"log": STEPS})
    assert thread["metadata"]["graph_id"] == "steps"


async def test_history_and_a_fork(client: LangGraphClient) -> None:
    thread_id = await thread_of(client)
    await client.runs.wait(thread_id, "steps", input={"log": []})
    history = await client.threads.get_history(thread_id, limit=10)
    assert [state["values"].get("log") for state in history] == [
        STEPS, ["one", "two"], ["one"], [], [],
    ]  # fmt: skip
    assert [state["next"] for state in history[:3]] == [[], ["three"], ["two"]]
    assert len(await client.threads.get_history(thread_id, limit=2)) == 2
    before = history[2]["checkpoint"]
    earlier = await client.threads.get_history(thread_id, limit=10, before=before)
    assert len(earlier) == 2
    at_one = await client.threads.get_state(thread_id, checkpoint_id=before["checkpoint_id"])
    assert at_one["values"] == {"log": ["one"]}
    forked = await client.runs.wait(thread_id, "steps", input=None, checkpoint=before)
    assert forked == {"log": STEPS}
    longer = await client.threads.get_history(thread_id, limit=20)
    parents = [(state["parent_checkpoint"] or {}).get("checkpoint_id") for state in longer]
    assert parents.count(before["checkpoint_id"]) == 2


async def test_an_update_by_hand(client: LangGraphClient) -> None:
    thread_id = await thread_of(client)
    await client.runs.wait(thread_id, "steps", input={"log": []}, interrupt_before=["three"])
    assert (await client.threads.get(thread_id))["status"] == "interrupted"
    written = await client.threads.update_state(thread_id, {"log": ["by hand"]}, as_node="two")
    assert written["checkpoint"]["checkpoint_id"]
    state = await client.threads.get_state(thread_id)
    assert (state["values"], state["next"]) == ({"log": ["one", "two", "by hand"]}, ["three"])
    assert await client.runs.wait(thread_id, "steps", input=None) == {
        "log": ["one", "two", "by hand", "three"]
    }


async def test_no_update_while_a_run_is_under_way(client: LangGraphClient) -> None:
    thread_id = await thread_of(client)
    run = await client.runs.create(thread_id, "slow", input=SLOW)
    await until_status(client, thread_id, run["run_id"], "running")
    with pytest.raises(ConflictError):
        await client.threads.update_state(thread_id, {"log": ["no"]})
    await client.runs.cancel(thread_id, run["run_id"], wait=True)


async def test_a_copy_goes_its_own_way(client: LangGraphClient) -> None:
    thread_id = await thread_of(client)
    await client.runs.wait(thread_id, "steps", input={"log": []})
    await client.threads.copy(thread_id)
    (copied,) = [
        one
        for one in await client.threads.search(metadata={"graph_id": "steps"}, limit=2)
        if one["thread_id"] != thread_id
    ]
    assert await client.runs.wait(copied["thread_id"], "steps", input={"log": []}) == {"log": STEPS * 2}
    assert (await client.threads.get_state(thread_id))["values"] == {"log": STEPS}
