"""A thread that is deleted while its run is slow to stop: it is gone for whoever reads, at once."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from langgraph_sdk.errors import ConflictError, NotFoundError

from tests.http.test_runs import until_status
from tests.server_process import ServerProcess
from tests.waiting import eventually

GRAPH = '''
import asyncio, operator, pathlib
from typing import Annotated, TypedDict
from langgraph.graph import START, StateGraph

class State(TypedDict, total=False):
    log: Annotated[list, operator.add]
    until: str

async def stay(state):
    """Does not stop when it is told to, before a file is there."""
    while state.get("until") and not pathlib.Path(state["until"]).exists():
        try:
            await asyncio.sleep(0.05)
        except asyncio.CancelledError:
            pass
    return {"log": ["stayed"]}

graph = StateGraph(State).add_node("stay", stay).add_edge(START, "stay").compile()
'''


@pytest.fixture
def server(server_factory: Callable[..., ServerProcess], tmp_path: Path) -> ServerProcess:
    (tmp_path / "stubborn.py").write_text(GRAPH)
    config = tmp_path / "langgraph.json"
    sections = {"dependencies": ["."], "graphs": {"stubborn": "./stubborn.py:graph"}}
    config.write_text(json.dumps({**sections, "checkpointer": {"ttl": {"sweep_interval_minutes": 0.005}}}))
    environ = {"SHUTDOWN_GRACE_SECONDS": "1"}
    return server_factory(config=config, environ=environ).start()


async def test_a_thread_is_hidden_while_its_run_stops(server: ServerProcess, tmp_path: Path) -> None:
    go = tmp_path / "go"
    async with server.sdk() as client, httpx.AsyncClient(base_url=server.url, timeout=20) as http:
        thread_id = (await client.threads.create(metadata={"mark": "m"}))["thread_id"]
        await client.runs.wait(thread_id, "stubborn", input={"log": []})
        (ended,) = await client.runs.list(thread_id)
        run_id = (await client.runs.create(thread_id, "stubborn", input={"until": str(go)}))["run_id"]
        await until_status(client, thread_id, run_id, "running")
        cron_id = (await client.crons.create_for_thread(thread_id, "stubborn", schedule="0 0 1 1 *"))[
            "cron_id"
        ]
        deletion = asyncio.create_task(http.delete(f"/threads/{thread_id}"))

        async def is_hidden() -> bool:
            return (await http.get(f"/threads/{thread_id}")).status_code == 404

        await eventually(is_hidden, "the thread is still shown", 3)
        assert not deletion.done()
        await shows_nothing(client, http, thread_id, [run_id, ended["run_id"]])
        await shows_no_cron(client, http, thread_id, cron_id)
        assert await first_lines(http, f"/threads/{thread_id}/stream/events", {"channels": ["values"]}) == []
        # Nor may anything begin on it, or take its place.
        for asked in ({}, {"if_not_exists": "create"}):
            with pytest.raises(NotFoundError):
                await client.runs.create(thread_id, "stubborn", input={"log": []}, **asked)
        for if_exists in ("raise", "do_nothing"):
            with pytest.raises(ConflictError):
                await client.threads.create(thread_id=thread_id, if_exists=if_exists)

        assert (await deletion).status_code == 204
        # It waits no longer than five seconds; what is left is the sweeper's.
        await shows_nothing(client, http, thread_id, [run_id, ended["run_id"]])
        go.touch()

        async def can_be_made_again() -> bool:
            answer = await http.post("/threads", json={"thread_id": thread_id})
            return answer.status_code == 200

        await eventually(can_be_made_again, "the thread is never swept", 20)
        assert await client.runs.list(thread_id) == []
        assert await client.threads.get_history(thread_id) == []
    server.stop()


async def shows_nothing(client: Any, http: httpx.AsyncClient, thread_id: str, run_ids: list[str]) -> None:
    at = f"/threads/{thread_id}"
    assert await client.threads.search(metadata={"mark": "m"}) == []
    assert await client.threads.search(ids=[thread_id]) == []
    assert await client.threads.search(status="busy") == []
    assert await client.threads.search(sort_by="created_at") == []
    assert await client.threads.count() == 0
    assert await client.threads.count(metadata={"mark": "m"}) == 0
    for path in (at, f"{at}/state", f"{at}/history", f"{at}/runs", f"{at}/storage", f"{at}/stream"):
        assert (await http.get(path)).status_code == 404, path
    for run_id in run_ids:
        assert (await http.get(f"{at}/runs/{run_id}")).status_code == 404
        assert (await http.post(f"{at}/runs/{run_id}/cancel")).status_code == 404
        # A run that does not exist is told inside a 200, as on the reference.
        for path in (f"{at}/runs/{run_id}/join", f"{at}/runs/{run_id}/stream"):
            answer = await http.get(path)
            assert (answer.status_code, "404: Run not found" in answer.text) == (200, True), path
    for method, path, body in (
        ("POST", f"{at}/state", {"values": {"log": ["late"]}}),
        ("POST", f"{at}/history", {}),
        ("PATCH", at, {"metadata": {}}),
        ("DELETE", at, None),
        ("POST", f"{at}/copy", None),
    ):
        answer = await http.request(method, path, json=body)
        assert answer.status_code in (404, 409), (method, path, answer.text)


async def shows_no_cron(client: Any, http: httpx.AsyncClient, thread_id: str, cron_id: str) -> None:
    assert await client.crons.search(thread_id=thread_id) == []
    assert await client.crons.search() == []
    assert await client.crons.count() == 0
    for method, body in (("PATCH", {"enabled": False}), ("DELETE", None)):
        assert (await http.request(method, f"/runs/crons/{cron_id}", json=body)).status_code == 404
    with pytest.raises(NotFoundError):
        await client.crons.create_for_thread(thread_id, "stubborn", schedule="0 0 1 1 *")


async def first_lines(http: httpx.AsyncClient, path: str, body: Any) -> list[str]:
    """What an endless stream says before its first heartbeat."""
    found: list[str] = []
    async with http.stream("POST", path, json=body) as answer:
        async for line in answer.aiter_lines():
            if line.startswith(":"):
                break
            found.append(line)
    return found
