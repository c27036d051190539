"""A run whose checkpoints cannot be stored: tried again as a new attempt, and given up in good order."""

import asyncio
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

import httpx

from tests.crash.scenes import new_thread
from tests.server_process import ServerProcess
from tests.stream_reader import StreamReader
from tests.waiting import eventually

BRIEF = {"RUN_LEASE_SECONDS": "3", "RUN_HEARTBEAT_SECONDS": "1"}
BODY: dict[str, Any] = {"assistant_id": "slow", "input": {"pause": 0.05, "rounds": 40}}
LOG = [f"step{number}" for number in range(40)]


@contextmanager
def without_checkpoints(server: ServerProcess) -> Iterator[None]:
    """While this lasts, the table of checkpoints is not there."""

    def rename(before: str, after: str) -> None:
        with closing(sqlite3.connect(server.data_dir / "checkpoints.db", isolation_level=None)) as db:
            db.execute(f"ALTER TABLE {before} RENAME TO {after}")

    rename("checkpoints", "away")
    yield
    rename("away", "checkpoints")


async def status(client: httpx.AsyncClient, path: str) -> str:
    return str((await client.get(path)).json()["status"])


async def test_a_run_is_tried_again(server_factory: Callable[..., ServerProcess]) -> None:
    server = server_factory(environ=BRIEF).start()
    async with httpx.AsyncClient(base_url=server.url, timeout=30) as client:
        thread_id = await new_thread(client)
        reader = StreamReader(client)
        reading = asyncio.create_task(reader.create_and_follow(thread_id, BODY))
        await eventually(lambda: len(reader.of("values")) > 3)
        with without_checkpoints(server):
            await eventually(lambda: "Run will be tried again" in server.output(1_000_000))
        await asyncio.wait_for(reading, 30)
        attempts = [frame.data["attempt"] for frame in reader.of("metadata")]
        assert attempts == list(range(1, len(attempts) + 1)) and len(attempts) > 1
        assert reader.of("error") == []
        assert reader.of("values")[-1].data["log"] == LOG
        reader.check_ids()
        assert await status(client, f"/threads/{thread_id}/runs/{reader.run_id}") == "success"
        thread = (await client.get(f"/threads/{thread_id}")).json()
        assert (thread["status"], thread["values"]["log"], thread["error"]) == ("idle", LOG, None)
    server.stop()


async def test_a_run_is_given_up(server_factory: Callable[..., ServerProcess]) -> None:
    server = server_factory(environ={**BRIEF, "BG_JOB_MAX_RETRIES": "1"}).start()
    async with httpx.AsyncClient(base_url=server.url, timeout=30) as client:
        thread_id = await new_thread(client)
        run = (await client.post(f"/threads/{thread_id}/runs", json=BODY)).json()
        path = f"/threads/{thread_id}/runs/{run['run_id']}"

        async def has_begun() -> bool:
            return bool((await client.get(f"/threads/{thread_id}/state")).json()["values"].get("log"))

        await eventually(has_begun)
        with without_checkpoints(server):
            # Its end cannot be recorded now: what the thread says next stands in the table that is away.
            await eventually(lambda: "Run failed" in server.output(1_000_000))
            assert (await client.get("/ok")).status_code == 200

        async def has_failed() -> bool:
            return await status(client, path) == "error"

        await eventually(has_failed)
        thread = (await client.get(f"/threads/{thread_id}")).json()
        assert thread["status"] == "error"
        assert thread["values"]["log"] == LOG[: len(thread["values"]["log"])]
        # Whoever asks anew goes on from what was stored.
        answer = await client.post(f"/threads/{thread_id}/runs/wait", json={**BODY, "input": None})
        assert answer.json()["log"] == LOG
    server.stop()
