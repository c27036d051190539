"""Stopping runs: one or many, in every status, waiting or not, and exactly what it leaves."""

import asyncio
import uuid
from typing import Any

import httpx
import pytest
from langgraph_sdk.client import LangGraphClient
from langgraph_sdk.errors import NotFoundError

from tests.http.test_multitask import busy
from tests.http.test_runs import SLOW, STEPS, thread_of
from tests.server_process import ServerProcess
from tests.waiting import eventually

BRACES = "requested via POST /threads/{thread_id}/runs/{run_id}/cancel"


async def cancel(
    client: LangGraphClient, thread_id: str, run_id: str, action: str, wait: bool
) -> httpx.Response:
    """The bare answer."""
    path = f"/threads/{thread_id}/runs/{run_id}/cancel"
    return await client.http.client.post(path, params={"action": action, "wait": int(wait)})


async def status_of(client: LangGraphClient, thread_id: str, run_id: str) -> str:
    try:
        return str((await client.runs.get(thread_id, run_id))["status"])
    except NotFoundError:
        return "gone"


async def settled(client: LangGraphClient, thread_id: str) -> Any:
    """The thread once nothing goes on."""

    async def is_quiet() -> bool:
        return (await client.threads.get(thread_id))["status"] != "busy"

    await eventually(is_quiet, "the thread stays busy")
    return await client.threads.get(thread_id)


@pytest.mark.parametrize("wait", [False, True])
@pytest.mark.parametrize("action", ["interrupt", "rollback"])
async def test_a_running_run(client: LangGraphClient, action: str, wait: bool) -> None:
    thread_id, run_id = await busy(client, SLOW)
    before = await client.threads.get_history(thread_id, limit=100)
    answer = await cancel(client, thread_id, run_id, action, wait)
    assert answer.status_code == (200 if wait else 202)
    if wait:
        # It has ended when the answer is there.
        assert await status_of(client, thread_id, run_id) in ("interrupted", "gone")
        assert (await client.threads.get(thread_id))["status"] != "busy"
    thread = await settled(client, thread_id)
    after = await client.threads.get_history(thread_id, limit=100)
    mine = {one["checkpoint"]["checkpoint_id"] for one in after if one["metadata"]["run_id"] == run_id}
    others = [one for one in before if one["metadata"]["run_id"] != run_id]
    assert [one for one in after if one["metadata"]["run_id"] != run_id] == others
    name = {"interrupt": "UserInterrupt", "rollback": "UserRollback"}[action]
    assert thread["error"] == {"error": name, "message": f"{action} {BRACES}"}
    if action == "interrupt":
        assert await status_of(client, thread_id, run_id) == "interrupted"
        assert thread["status"] == "interrupted"
        assert {one["checkpoint"]["checkpoint_id"] for one in before} - mine == {
            one["checkpoint"]["checkpoint_id"] for one in others
        }
        assert thread["values"]["log"][:4] == [*STEPS, "step3"]
    else:
        assert await status_of(client, thread_id, run_id) == "gone"
        assert (thread["status"], thread["values"]) == ("idle", {"log": STEPS})
        assert mine == set()


@pytest.mark.parametrize("wait", [False, True])
@pytest.mark.parametrize("action", ["interrupt", "rollback"])
async def test_a_pending_run(client: LangGraphClient, action: str, wait: bool) -> None:
    thread_id, running = await busy(client, SLOW)
    made = [await client.runs.create(thread_id, "steps", input={"log": [n]}) for n in range(2)]
    answer = await cancel(client, thread_id, made[0]["run_id"], action, wait)
    assert (answer.status_code, answer.content) == ((200, b"{}") if wait else (202, b""))
    left = await status_of(client, thread_id, made[0]["run_id"])
    assert left == {"interrupt": "interrupted", "rollback": "gone"}[action]
    assert await status_of(client, thread_id, running) == "running"
    assert await status_of(client, thread_id, made[1]["run_id"]) == "pending"
    assert (await client.threads.get(thread_id))["status"] == "busy"
    await client.runs.cancel(thread_id, running, wait=True)
    await client.runs.join(thread_id, made[1]["run_id"])
    log = (await client.threads.get_state(thread_id))["values"]["log"]
    assert 0 not in log and log[-4:] == [1, *STEPS]


async def test_a_run_that_waits_alone(client: LangGraphClient) -> None:
    for action in ("interrupt", "rollback"):
        thread_id = await thread_of(client)
        await client.runs.wait(thread_id, "steps", input={"log": []})
        run = await client.runs.create(thread_id, "steps", input={"log": ["later"]}, after_seconds=60)
        assert (await client.threads.get(thread_id))["status"] == "busy"
        assert (await cancel(client, thread_id, run["run_id"], action, True)).json() == {}
        thread = await client.threads.get(thread_id)
        assert (thread["status"], thread["values"]) == ("idle", {"log": STEPS})


@pytest.mark.parametrize("graph", ["steps", "interrupting", "failing"])
async def test_a_run_that_has_ended(client: LangGraphClient, graph: str) -> None:
    thread_id = await thread_of(client)
    run = await client.runs.create(thread_id, graph, input={"log": []})
    await client.runs.join(thread_id, run["run_id"])
    before = await client.threads.get(thread_id)
    history = await client.threads.get_history(thread_id, limit=100)
    for action in ("interrupt", "rollback"):
        for wait in (False, True):
            answer = await cancel(client, thread_id, run["run_id"], action, wait)
            assert answer.status_code == 404
            assert answer.json()["detail"].startswith("No matching runs to cancel.")
    answer = await cancel(client, thread_id, str(uuid.uuid4()), "interrupt", True)
    assert (answer.status_code, answer.json()["detail"]) == (404, "No runs found to cancel.")
    assert await client.threads.get(thread_id) == before
    assert await client.threads.get_history(thread_id, limit=100) == history


async def test_who_waits_reads_the_last_values(client: LangGraphClient) -> None:
    thread_id, run_id = await busy(client, SLOW)
    waiting = asyncio.create_task(client.runs.join(thread_id, run_id))
    seen: list[Any] = []
    streaming = asyncio.create_task(follow(client, thread_id, run_id, seen))
    await eventually(lambda: seen, "nobody follows the run")
    assert not waiting.done()
    await client.runs.cancel(thread_id, run_id, wait=True)
    log = (await client.threads.get_state(thread_id))["values"]["log"]
    joined = await waiting
    assert isinstance(joined, dict) and "__error__" not in joined
    # A stop says nothing in the stream: it closes.
    await streaming
    assert {part.event for part in seen} == {"values"}
    assert joined["log"][: len(STEPS)] == STEPS and len(joined["log"]) <= len(log)


async def follow(client: LangGraphClient, thread_id: str, run_id: str, seen: list[Any]) -> None:
    async for part in client.runs.join_stream(thread_id, run_id):
        seen.append(part)


async def test_many_of_a_thread(client: LangGraphClient) -> None:
    thread_id, running = await busy(client, SLOW)
    pending = [await client.runs.create(thread_id, "steps", input={"log": [n]}) for n in range(3)]
    stopped = [running, pending[0]["run_id"], pending[2]["run_id"]]
    http = client.http.client
    body: dict[str, Any] = {"thread_id": thread_id, "run_ids": stopped}
    assert (await http.post("/runs/cancel", json=body)).status_code == 204
    await client.runs.join(thread_id, pending[1]["run_id"])
    assert [await status_of(client, thread_id, run_id) for run_id in stopped] == ["interrupted"] * 3
    log = (await settled(client, thread_id))["values"]["log"]
    assert log[-4:] == [1, *STEPS]
    assert (await http.post("/runs/cancel", json=body)).status_code == 404
    body["run_ids"] = [str(uuid.uuid4())]
    assert (await http.post("/runs/cancel", json=body)).status_code == 404
    for wrong in ({**body, "status": "all"}, {}, {"thread_id": thread_id}, {"status": "success"}):
        assert (await http.post("/runs/cancel", json=wrong)).status_code == 422, wrong


async def test_all_of_a_status(server_factory: Any) -> None:
    server: ServerProcess = server_factory(environ={"SHUTDOWN_GRACE_SECONDS": "1"}).start()
    async with server.sdk() as client:
        places = [await busy(client, SLOW) for _ in range(3)]
        waiting = [
            (thread_id, (await client.runs.create(thread_id, "steps", input={"log": []}))["run_id"])
            for thread_id, _ in places
        ]
        http = client.http.client
        assert (await http.post("/runs/cancel", json={"status": "pending"})).status_code == 204
        assert [await status_of(client, *one) for one in waiting] == ["interrupted"] * 3
        assert [await status_of(client, *one) for one in places] == ["running"] * 3
        answer = await http.post("/runs/cancel", params={"action": "rollback"}, json={"status": "running"})
        assert answer.status_code == 204
        for thread_id, _ in places:
            assert (await settled(client, thread_id))["values"] == {"log": STEPS}
        assert [await status_of(client, *one) for one in places] == ["gone"] * 3
        assert (await http.post("/runs/cancel", json={"status": "all"})).status_code == 404
    server.stop()
