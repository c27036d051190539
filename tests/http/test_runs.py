"""Assistants and runs through the real SDK: background, wait, stateless, join, list, cancel, limits."""

import asyncio
import time
import uuid
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from langgraph_sdk.client import LangGraphClient
from langgraph_sdk.errors import ConflictError, NotFoundError

from tests.server_process import ServerProcess
from tests.waiting import eventually

STEPS = ["one", "two", "three"]
SLOW: dict[str, Any] = {"pause": 0.1, "rounds": 100}


async def thread_of(client: LangGraphClient) -> str:
    return str((await client.threads.create())["thread_id"])


async def until_status(
    client: LangGraphClient, thread_id: str, run_id: str, status: str, within: float = 10
) -> None:
    """Wait until a run says so."""

    async def says_so() -> bool:
        return (await client.runs.get(thread_id, run_id))["status"] == status

    await eventually(says_so, f"the run does not become {status}", within)


async def test_assistants(client: LangGraphClient) -> None:
    system = await client.assistants.search(graph_id="steps")
    assert [one["name"] for one in system] == ["steps"]
    assert system[0]["assistant_id"] == str(
        uuid.uuid5(uuid.UUID("6ba7b821-9dad-11d1-80b4-00c04fd430c8"), "steps")
    )
    mine = await client.assistants.create("slow", name="mine", config={"configurable": {"a": 1}})
    assistant_id = mine["assistant_id"]
    assert (await client.assistants.get(assistant_id))["name"] == "mine"
    changed = await client.assistants.update(assistant_id, name="changed")
    assert changed["version"] == 2
    assert [one["version"] for one in await client.assistants.get_versions(assistant_id)] == [2, 1]
    assert (await client.assistants.set_latest(assistant_id, 1))["name"] == "mine"
    drawn = await client.assistants.get_graph(assistant_id)
    assert {node["id"] for node in drawn["nodes"]} == {"__start__", "step", "__end__"}
    assert "log" in (await client.assistants.get_schemas(assistant_id))["state_schema"]["properties"]
    seen = await client.runs.wait(None, assistant_id, input={"pause": 0, "rounds": 2})
    assert seen["log"] == ["step0", "step1"]
    await client.assistants.delete(assistant_id)
    with pytest.raises(NotFoundError):
        await client.assistants.get(assistant_id)


async def test_wait(client: LangGraphClient) -> None:
    thread_id = await thread_of(client)
    assert await client.runs.wait(thread_id, "steps", input={"log": []}) == {"log": STEPS}
    assert await client.runs.wait(thread_id, "steps", input={"log": ["again"]}) == {
        "log": [*STEPS, "again", *STEPS]
    }


async def test_a_failing_run(client: LangGraphClient) -> None:
    thread_id = await thread_of(client)
    seen = await client.runs.wait(thread_id, "failing", input={"log": []}, raise_error=False)
    assert seen["__error__"]["error"] == "ValueError"
    with pytest.raises(Exception, match="it went wrong"):
        await client.runs.wait(thread_id, "failing", input={"log": []})
    thread = await client.threads.get(thread_id)
    assert thread["status"] == "error"
    assert thread["values"] == {"log": ["first", "first"]}


async def test_background_list_and_join(client: LangGraphClient) -> None:
    thread_id = await thread_of(client)
    first = await client.runs.create(
        thread_id, "slow", input={"pause": 0.05, "rounds": 3}, metadata={"number": 1}
    )
    second = await client.runs.create(thread_id, "steps", input={"log": []})
    assert (first["status"], second["status"]) == ("pending", "pending")
    assert first["metadata"]["number"] == 1
    assert await client.runs.join(thread_id, second["run_id"]) == {"log": ["step0", "step1", "step2", *STEPS]}
    listed = await client.runs.list(thread_id)
    assert [(run["run_id"], run["status"]) for run in listed] == [
        (second["run_id"], "success"),
        (first["run_id"], "success"),
    ]
    assert await client.runs.list(thread_id, status="error") == []
    assert len(await client.runs.list(thread_id, limit=1, offset=1)) == 1
    await client.runs.delete(thread_id, first["run_id"])
    with pytest.raises(NotFoundError):
        await client.runs.get(thread_id, first["run_id"])


async def test_a_run_starts_within_milliseconds(client: LangGraphClient) -> None:
    thread_id = await thread_of(client)
    waits = []
    for _ in range(5):
        began = time.monotonic()
        async for part in client.runs.stream(thread_id, "steps", input={"log": []}):
            if part.event == "metadata":
                waits.append(time.monotonic() - began)
    assert min(waits) < 0.1, waits


async def test_stateless_runs(client: LangGraphClient) -> None:
    assert await client.runs.wait(None, "steps", input={"log": []}) == {"log": STEPS}
    run = await client.runs.create(None, "slow", input={"pause": 0.05, "rounds": 2})
    assert await client.runs.join(run["thread_id"], run["run_id"])

    async def is_gone() -> bool:
        return not await client.threads.search(ids=[run["thread_id"]])

    await eventually(is_gone, "its thread stays")
    kept = await client.runs.create(None, "steps", input={"log": []}, on_completion="keep")
    assert await client.runs.join(kept["thread_id"], kept["run_id"]) == {"log": STEPS}
    assert (await client.threads.get(kept["thread_id"]))["values"] == {"log": STEPS}
    payloads = [{"assistant_id": "steps", "input": {"log": [number]}} for number in range(3)]
    made = await client.runs.create_batch(payloads)
    assert len({one["run_id"] for one in made}) == 3


async def test_a_later_run(client: LangGraphClient) -> None:
    thread_id = await thread_of(client)
    began = time.monotonic()
    later = await client.runs.create(thread_id, "steps", input={"log": ["later"]}, after_seconds=1)
    sooner = await client.runs.wait(thread_id, "steps", input={"log": ["sooner"]})
    assert sooner == {"log": ["sooner", *STEPS]}
    assert time.monotonic() - began < 0.9
    seen = await client.runs.join(thread_id, later["run_id"])
    assert time.monotonic() - began >= 1
    assert seen == {"log": ["sooner", *STEPS, "later", *STEPS]}


async def test_cancel(client: LangGraphClient) -> None:
    thread_id = await thread_of(client)
    run = await client.runs.create(thread_id, "slow", input={"pause": 0.1, "rounds": 15})
    await until_status(client, thread_id, run["run_id"], "running")
    began = time.monotonic()
    await client.runs.cancel(thread_id, run["run_id"], wait=True)
    assert time.monotonic() - began < 2
    assert (await client.runs.get(thread_id, run["run_id"]))["status"] == "interrupted"
    assert (await client.threads.get(thread_id))["status"] == "interrupted"
    carried_on = await client.runs.wait(thread_id, "slow", input=None)
    assert len(carried_on["log"]) == 15
    with pytest.raises(NotFoundError):
        await client.runs.cancel(thread_id, run["run_id"])


async def test_cancel_with_rollback(client: LangGraphClient) -> None:
    thread_id = await thread_of(client)
    await client.runs.wait(thread_id, "steps", input={"log": []})
    run = await client.runs.create(thread_id, "slow", input=SLOW)
    await until_status(client, thread_id, run["run_id"], "running")
    await client.runs.cancel(thread_id, run["run_id"], wait=True, action="rollback")
    with pytest.raises(NotFoundError):
        await client.runs.get(thread_id, run["run_id"])
    assert (await client.threads.get_state(thread_id))["values"] == {"log": STEPS}
    assert (await client.threads.get(thread_id))["status"] == "idle"


async def test_cancel_of_a_pending_run(client: LangGraphClient) -> None:
    thread_id = await thread_of(client)
    first = await client.runs.create(thread_id, "slow", input=SLOW)
    second = await client.runs.create(thread_id, "steps", input={"log": []})
    await client.runs.cancel(thread_id, second["run_id"])
    assert (await client.runs.get(thread_id, second["run_id"]))["status"] == "interrupted"
    assert (await client.threads.get(thread_id))["status"] == "busy"
    await client.runs.cancel_many(thread_id=thread_id, run_ids=[first["run_id"]])
    await until_status(client, thread_id, first["run_id"], "interrupted")


async def test_a_deleted_running_run_stops(client: LangGraphClient) -> None:
    thread_id = await thread_of(client)
    run = await client.runs.create(thread_id, "slow", input=SLOW)
    await until_status(client, thread_id, run["run_id"], "running")
    await client.runs.delete(thread_id, run["run_id"])
    with pytest.raises(NotFoundError):
        await client.runs.get(thread_id, run["run_id"])
    assert await client.runs.wait(thread_id, "steps", input={"log": []}) == {"log": STEPS}


async def test_unknown_things(client: LangGraphClient) -> None:
    with pytest.raises(NotFoundError):
        await client.runs.create(str(uuid.uuid4()), "steps", input={})
    made = await client.runs.wait(str(uuid.uuid4()), "steps", input={"log": []}, if_not_exists="create")
    assert made == {"log": STEPS}
    with pytest.raises(NotFoundError):
        await client.runs.get(await thread_of(client), str(uuid.uuid4()))
    with pytest.raises(NotFoundError):
        await client.runs.create(await thread_of(client), str(uuid.uuid4()), input={})


def left_after(server: ServerProcess, on_disconnect: str) -> tuple[str, str]:
    """Create a streamed run, read its first frame, hang up: the thread and the run."""
    with server.http() as http:
        thread_id = http.post("/threads", json={}).json()["thread_id"]
        body = {"assistant_id": "slow", "input": SLOW, "on_disconnect": on_disconnect}
        with http.stream("POST", f"/threads/{thread_id}/runs/stream", json=body) as answer:
            next(answer.iter_bytes())
            run_id = answer.headers["content-location"].rpartition("/")[2]
    return thread_id, run_id


async def test_who_hangs_up_cancels_if_so_asked(server: ServerProcess, client: LangGraphClient) -> None:
    cancelled, goes_on = await asyncio.gather(
        asyncio.to_thread(left_after, server, "cancel"), asyncio.to_thread(left_after, server, "continue")
    )
    await until_status(client, *cancelled, "interrupted", within=8)
    assert (await client.runs.get(*goes_on))["status"] == "running"
    thread = await client.threads.get(cancelled[0])
    assert thread["error"]["message"] == "client disconnected from the run stream (on_disconnect=cancel)"
    await client.runs.cancel(*goes_on)


async def test_too_many_pending_runs(server_factory: Callable[..., ServerProcess]) -> None:
    server = server_factory(
        environ={"MAX_PENDING_RUNS_PER_THREAD": "2", "SHUTDOWN_GRACE_SECONDS": "0"}
    ).start()
    async with server.sdk() as client:
        thread_id = await thread_of(client)
        running = await client.runs.create(thread_id, "slow", input=SLOW)
        await until_status(client, thread_id, running["run_id"], "running")
        for _ in range(2):
            await client.runs.create(thread_id, "steps", input={"log": []})
    async with httpx.AsyncClient(base_url=server.url) as http:
        refused = await http.post(
            f"/threads/{thread_id}/runs", json={"assistant_id": "steps", "input": {"log": []}}
        )
    assert refused.status_code == 429
    server.stop()


def test_the_sync_client(server: ServerProcess) -> None:
    with server.sync_sdk() as client:
        thread_id = client.threads.create()["thread_id"]
        events = [part.event for part in client.runs.stream(thread_id, "steps", input={"log": []})]
        assert events == ["metadata", *["values"] * 4]
        assert client.runs.wait(thread_id, "steps", input={"log": []}) == {"log": STEPS * 2}
        run = client.runs.create(thread_id, "steps", input={"log": []})
        assert client.runs.join(thread_id, run["run_id"]) == {"log": STEPS * 3}
        assert client.threads.get_state(thread_id)["values"] == {"log": STEPS * 3}
        with pytest.raises(ConflictError):
            client.threads.create(thread_id=thread_id)
