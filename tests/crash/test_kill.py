"""kill -9 while runs stream: of the server process, and of its supervisor."""

import asyncio
import random
import time
from collections.abc import Callable
from functools import partial

import httpx
import pytest

from tests.crash.journal import finished_before, notes, repeated
from tests.crash.scenes import streams_survive
from tests.server_process import ServerProcess
from tests.stream_reader import StreamReader
from tests.waiting import eventually

Factory = Callable[..., ServerProcess]


def strike(server: ServerProcess, victim: str) -> None:
    """kill -9 one of the two processes, and see to it that the server comes back."""
    if victim == "server":
        server.kill_server()
    else:
        server.kill_supervisor()
        server.start()


@pytest.mark.parametrize("victim", ["server", "supervisor"])
async def test_streams_survive_a_kill(server_factory: Factory, victim: str) -> None:
    server = server_factory().start()
    await streams_survive(server, partial(strike, server, victim))
    server.stop()


async def test_the_sdk_comes_back_by_itself(server_factory: Factory) -> None:
    server = server_factory().start()
    told = {"messages": [{"role": "user", "content": "tell"}], "pause": 0.1}
    parts = []
    async with server.sdk() as client:
        thread_id = (await client.threads.create())["thread_id"]
        async for part in client.runs.stream(
            thread_id,
            "storyteller",
            input=told,
            stream_mode=["messages-tuple", "values"],
            stream_resumable=True,
        ):
            parts.append(part)
            if len(parts) == 12:
                server.kill_server()
    ids = [tuple(int(piece) for piece in str(part.id).split("-")) for part in parts]
    assert ids == sorted(set(ids))
    assert [part.data["attempt"] for part in parts if part.event == "metadata"] == [1, 2]
    assert [message["id"] for message in parts[-1].data["messages"][1:]] == ["beginning", "middle", "ending"]
    server.stop()


async def test_a_killed_stateless_run_starts_over(server_factory: Factory) -> None:
    server = server_factory().start()
    journal = server.folder / "journal"
    async with httpx.AsyncClient(base_url=server.url, timeout=30) as client:
        given = {"journal": str(journal), "pause": 0.2, "rounds": 4}
        body = {"assistant_id": "slow", "input": given, "stream_resumable": True}
        run = (await client.post("/runs", json=body)).json()
        reader = StreamReader(client, location=f"/threads/{run['thread_id']}/runs/{run['run_id']}/stream")
        reading = asyncio.create_task(reader.follow())
        await eventually(
            lambda: finished_before(notes(journal), run["run_id"], time.time()) >= {"step1"}, "not so far yet"
        )
        await asyncio.to_thread(strike, server, "server")
        async with asyncio.timeout(20):
            await reading
        reader.check_ids()
        assert [frame.data["attempt"] for frame in reader.of("metadata")] == [1, 2]
        assert reader.frames[-1].data["log"] == [f"step{number}" for number in range(4)]
        assert {"step0", "step1"} <= repeated(notes(journal), run["run_id"])
        # The stream has ended, and not merely shown the last values: its thread is gone before.
        assert (await client.get(f"/threads/{run['thread_id']}")).status_code == 404
    server.stop()


@pytest.mark.soak
@pytest.mark.parametrize("victim", ["server", "supervisor"])
async def test_streams_survive_many_kills(server_factory: Factory, victim: str, rounds: int) -> None:
    server = server_factory().start()
    chance = random.Random(rounds)
    for _ in range(rounds):
        await streams_survive(server, partial(strike, server, victim), chance=chance)
    server.stop()
