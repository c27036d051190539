"""Runs that were asked to stop when the server was killed end as asked after the restart."""

import asyncio
import random
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.crash.scenes import new_thread
from tests.server_process import ServerProcess
from tests.waiting import eventually

BEFORE = ["one", "two", "three"]
LONG: dict[str, Any] = {"assistant_id": "slow", "input": {"pause": 0.05, "rounds": 500}}


async def running(client: httpx.AsyncClient) -> tuple[str, str]:
    """A thread that has a state already, and a run on it that has written its first checkpoints."""
    thread_id = await new_thread(client)
    seen = await client.post(
        f"/threads/{thread_id}/runs/wait", json={"assistant_id": "steps", "input": {"log": []}}
    )
    assert seen.json() == {"log": BEFORE}
    run = (await client.post(f"/threads/{thread_id}/runs", json=LONG)).json()
    return thread_id, str(run["run_id"])


async def has_state_of_run(client: httpx.AsyncClient, thread_id: str) -> None:
    """Wait for the first node of the long run."""

    async def has_begun() -> bool:
        state = (await client.get(f"/threads/{thread_id}/state")).json()
        return len(state["values"]["log"]) > len(BEFORE)

    await eventually(has_begun)


async def cancel_and_kill(server: ServerProcess, action: str, delay: float | None, count: int = 10) -> None:
    """Ask runs to stop, kill the server so soon afterwards (None: at the answers), see how they end."""
    async with httpx.AsyncClient(base_url=server.url, timeout=30) as client:
        made = [await running(client) for _ in range(count)]
        await asyncio.gather(*(has_state_of_run(client, thread_id) for thread_id, _ in made))
        asked = asyncio.gather(*(ask_to_stop(client, *one, action) for one in made))
        if delay is None:
            answered = await asked
        else:
            await asyncio.sleep(delay)
            answered = []
        server.kill_server()
        answered = answered or await asked
        await asyncio.to_thread(server.is_back)
        check = check_interrupted if action == "interrupt" else check_rolled_back
        async with asyncio.timeout(20):
            for one, heard in zip(made, answered, strict=True):
                if heard:
                    await check(client, *one)
                else:
                    await settle(client, *one)
                await check_usable(client, one[0])


async def ask_to_stop(client: httpx.AsyncClient, thread_id: str, run_id: str, action: str) -> bool:
    """Whether the wish was acknowledged."""
    try:
        answer = await client.post(f"/threads/{thread_id}/runs/{run_id}/cancel?action={action}")
    except httpx.TransportError:
        return False
    assert answer.status_code == 202, answer.text
    return True


async def not_busy(client: httpx.AsyncClient, thread_id: str) -> dict[str, Any]:
    """The thread, once nothing runs on it."""
    thread: dict[str, Any] = {}

    async def settled() -> bool:
        thread.update((await client.get(f"/threads/{thread_id}")).json())
        return bool(thread["status"] != "busy")

    await eventually(settled, "the thread stays busy")
    return thread


async def check_interrupted(client: httpx.AsyncClient, thread_id: str, run_id: str) -> None:
    """It is interrupted, the thread shows how far it came and that nodes are left."""
    thread = await not_busy(client, thread_id)
    run = (await client.get(f"/threads/{thread_id}/runs/{run_id}")).json()
    assert run["status"] == "interrupted"
    assert thread["status"] == "interrupted"
    assert thread["error"]["error"] == "UserInterrupt"
    assert len(thread["values"]["log"]) > len(BEFORE)
    state = (await client.get(f"/threads/{thread_id}/state")).json()
    assert state["next"] == ["step"]
    assert state["values"] == thread["values"]


async def check_rolled_back(client: httpx.AsyncClient, thread_id: str, run_id: str) -> None:
    """It is gone with its checkpoints, and the thread is as before it."""
    thread = await not_busy(client, thread_id)
    assert (await client.get(f"/threads/{thread_id}/runs/{run_id}")).status_code == 404
    assert thread["status"] == "idle"
    assert thread["error"]["error"] == "UserRollback"
    assert thread["values"] == {"log": BEFORE}
    state = (await client.get(f"/threads/{thread_id}/state")).json()
    assert (state["values"], state["next"]) == ({"log": BEFORE}, [])


async def settle(client: httpx.AsyncClient, thread_id: str, run_id: str) -> None:
    """Of a wish that nobody answered either may be true: it goes on, or it was stopped."""
    run = await client.get(f"/threads/{thread_id}/runs/{run_id}")
    if run.status_code == 200 and run.json()["status"] in ("pending", "running"):
        await client.post(f"/threads/{thread_id}/runs/{run_id}/cancel?wait=1")


async def check_usable(client: httpx.AsyncClient, thread_id: str) -> None:
    """The next run on the thread works."""
    await not_busy(client, thread_id)
    body = {"assistant_id": "steps", "input": {"log": ["again"]}}
    seen = await client.post(f"/threads/{thread_id}/runs/wait", json=body)
    assert seen.json()["log"][-4:] == ["again", *BEFORE], seen.text


@pytest.mark.parametrize("action", ["interrupt", "rollback"])
async def test_a_cancelled_run_ends_as_asked(
    server_factory: Callable[..., ServerProcess], action: str
) -> None:
    server = server_factory().start()
    await cancel_and_kill(server, action, None)
    await cancel_and_kill(server, action, 0.004)
    server.stop()


@pytest.mark.soak
@pytest.mark.parametrize("action", ["interrupt", "rollback"])
async def test_cancelled_runs_end_as_asked_again_and_again(
    server_factory: Callable[..., ServerProcess], action: str, rounds: int
) -> None:
    server = server_factory().start()
    chance = random.Random(rounds)
    for _ in range(rounds):
        await cancel_and_kill(server, action, chance.uniform(0, 0.03), count=20)
    server.stop()


@pytest.mark.parametrize("statements", [("checkpoints", "writes"), ()], ids=["after", "before"])
async def test_a_crash_within_a_rollback_is_repaired(
    server_factory: Callable[..., ServerProcess], statements: Sequence[str]
) -> None:
    """The server dies between recording the wish, deleting the checkpoints and deleting the row: made by hand."""
    server = server_factory().start()
    async with httpx.AsyncClient(base_url=server.url, timeout=30) as client:
        thread_id, run_id = await running(client)
        await has_state_of_run(client, thread_id)
        server.kill_supervisor()
        change(
            server.data_dir / "app.db", "UPDATE run SET cancel_action = 'rollback' WHERE run_id = ?", run_id
        )
        if statements:
            change(
                server.data_dir / "checkpoints.db",
                "DELETE FROM checkpoints WHERE json_extract(CAST(metadata AS TEXT), '$.run_id') = ?",
                run_id,
            )
        await asyncio.to_thread(server.start)
        async with asyncio.timeout(10):
            thread = await not_busy(client, thread_id)
            assert thread["values"] == {"log": BEFORE}
            await check_usable(client, thread_id)
    server.stop()


def change(database: Path, statement: str, run_id: str) -> None:
    """One statement on a database that no server works on."""
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        assert connection.execute(statement, (run_id,)).rowcount > 0


async def test_a_run_without_attempts_left_fails(server_factory: Callable[..., ServerProcess]) -> None:
    server = server_factory(environ={"BG_JOB_MAX_RETRIES": "0"}).start()
    async with httpx.AsyncClient(base_url=server.url, timeout=30) as client:
        thread_id, run_id = await running(client)
        await has_state_of_run(client, thread_id)
        server.kill_server()
        await asyncio.to_thread(server.is_back)
        async with asyncio.timeout(10):
            thread = await not_busy(client, thread_id)
        assert thread["status"] == "error"
        assert thread["error"]["error"] == "WorkerLost"
        assert (await client.get(f"/threads/{thread_id}/runs/{run_id}")).json()["status"] == "error"
        assert len(thread["values"]["log"]) > len(BEFORE)
        await check_usable(client, thread_id)
    server.stop()
