"""Redis that is killed, or stays away: runs go on, and every stream ends."""

import asyncio
import signal
import time
from typing import Any

import httpx
import pytest
from langgraph_sdk.client import LangGraphClient

from tests.crash.scenes import TIMEOUT
from tests.http.test_streams import as_bytes
from tests.postgres_server import PostgresServer
from tests.redis_server import RedisServer
from tests.scale.conftest import Nodes, nodes_on
from tests.stream_reader import StreamReader
from tests.waiting import eventually

AWAY = 6.0
"""Seconds; longer than entries wait for Redis to come back."""
CLOSED_WITHIN = 30.0
GAP = "StreamGap"


@pytest.fixture
def on_own_redis(server_factory: Any, postgres: PostgresServer, own_redis: RedisServer) -> Nodes:
    """Nodes on a Redis that the test may kill."""
    return nodes_on(server_factory, postgres.database("redisless"), own_redis)


async def restart_in_mid_stream(nodes: Nodes, redis: RedisServer) -> None:
    """Killed and back at once: the rest of every stream comes, or a gap is told; runs and states are whole."""
    api, steps = nodes.api("--no-worker"), 12
    await asyncio.to_thread(nodes.worker)
    async with api.sdk() as sdk, httpx.AsyncClient(base_url=api.url, timeout=TIMEOUT) as client:
        threads = [(await sdk.threads.create())["thread_id"] for _ in range(6)]
        readers = [StreamReader(client) for _ in threads]
        body = {"assistant_id": "slow", "input": {"log": [], "rounds": steps, "pause": 0.3}}
        following = [
            asyncio.create_task(reader.create_and_follow(thread_id, body))
            for reader, thread_id in zip(readers, threads, strict=True)
        ]
        await eventually(lambda: all(len(reader.frames) > 3 for reader in readers), "no stream begins")
        await asyncio.to_thread(redis.stop, signal.SIGKILL)
        await asyncio.to_thread(redis.start)
        async with asyncio.timeout(CLOSED_WITHIN):
            await asyncio.gather(*following)
        log = [f"step{number}" for number in range(steps)]
        for thread_id, reader in zip(threads, readers, strict=True):
            ids = [frame.id for frame in reader.frames if frame.id is not None]
            assert ids == sorted(set(ids))
            last = reader.frames[-1]
            assert last.data.get("log") == log or last.data["error"] == GAP, last
            assert (await sdk.threads.get(thread_id))["status"] == "idle"
            assert (await sdk.threads.get_state(thread_id))["values"]["log"] == log


async def test_a_kill_of_redis_in_mid_stream(on_own_redis: Nodes, own_redis: RedisServer) -> None:
    await restart_in_mid_stream(on_own_redis, own_redis)


@pytest.mark.soak
async def test_many_kills_of_redis(on_own_redis: Nodes, own_redis: RedisServer, rounds: int) -> None:
    for _ in range(rounds):
        await restart_in_mid_stream(on_own_redis, own_redis)


async def frames_until_closed(sdk: LangGraphClient, run: tuple[str, str], seen: list[Any]) -> Any:
    """A stream joined, to its end; the last frame."""
    async for part in sdk.runs.join_stream(*run):
        seen.append(part)
    return seen[-1]


async def work(sdk: LangGraphClient, rounds: int, pause: float) -> tuple[str, str]:
    """A run that takes so many times `pause` seconds: its thread and its id."""
    thread_id = (await sdk.threads.create())["thread_id"]
    given = {"log": [], "rounds": rounds, "pause": pause}
    return thread_id, (await sdk.runs.create(thread_id, "slow", input=given))["run_id"]


async def test_redis_that_stays_away(on_own_redis: Nodes, own_redis: RedisServer) -> None:
    nodes, redis = on_own_redis, own_redis
    nodes.environ["REDIS_PATIENCE_SECONDS"] = "2"
    api = nodes.api("--no-worker")
    await asyncio.to_thread(nodes.worker)
    async with api.sdk() as sdk, httpx.AsyncClient(base_url=api.url, timeout=TIMEOUT) as client:
        short, long = await work(sdk, 8, 0.5), await work(sdk, 22, 0.5)
        seen: list[list[Any]] = [[], [], []]
        streams = [
            asyncio.create_task(frames_until_closed(sdk, run, parts))
            for run, parts in zip((short, long), seen, strict=False)
        ]
        joins = [asyncio.create_task(sdk.runs.join(*one)) for one in (short, long)]
        whole_thread = asyncio.create_task(lines_until(client, *short, seen[2]))
        await eventually(lambda: all(seen), "a stream does not begin")
        await asyncio.to_thread(redis.stop, signal.SIGKILL)
        away_since = time.monotonic()
        # Runs are made, executed and finished all the same.
        third = await work(sdk, 2, 0.1)
        await eventually(lambda: succeeded(sdk, third), "a run made without Redis is not executed")
        await eventually(lambda: succeeded(sdk, short), "the run does not end without Redis")
        # Who waits learns of it from the rows, who follows is told that something is missing.
        async with asyncio.timeout(CLOSED_WITHIN):
            assert len((await joins[0])["log"]) == 8
            assert (await streams[0]).data["error"] == GAP
            assert await whole_thread == short[1]
        left = max(AWAY - (time.monotonic() - away_since), 0.0)
        done, _ = await asyncio.wait([joins[1]], timeout=left)
        assert not done
        await asyncio.to_thread(redis.start)
        async with asyncio.timeout(CLOSED_WITHIN):
            assert len((await joins[1])["log"]) == 22
            assert (await streams[1]).data["error"] == GAP
        fresh = [part.event async for part in sdk.runs.stream(third[0], "steps", input={"log": []})]
        assert fresh[0] == "metadata" and "error" not in fresh


async def succeeded(sdk: LangGraphClient, run: tuple[str, str]) -> bool:
    """Whether a run has ended well."""
    return (await sdk.runs.get(*run))["status"] == "success"


async def lines_until(client: httpx.AsyncClient, thread_id: str, run_id: str, seen: list[Any]) -> str:
    """Follow a thread's stream until it says that the run is over, or closes; what was the case."""
    async with client.stream("GET", f"/threads/{thread_id}/stream") as answer:
        async for line in answer.aiter_lines():
            seen.append(line)
            if '"run_done"' in line and run_id in line:
                return run_id
    return "closed"


async def test_a_reader_that_does_not_read_costs_no_memory(nodes: Nodes) -> None:
    """Thirty megabytes for somebody who takes none of them: others get all, he is told that he has lost some."""
    size = 30_000
    api = nodes.api("--no-worker", EVENT_RING_BYTES_PER_THREAD="1000000")
    await asyncio.to_thread(nodes.worker)
    async with httpx.AsyncClient(base_url=api.url, timeout=TIMEOUT) as client:
        thread_id = (await client.post("/threads", json={})).json()["thread_id"]
        body = {"assistant_id": "flood", "input": {"size": 1}, "stream_mode": "custom"}
        await client.post(f"/threads/{thread_id}/runs/wait", json=body)
        before = resident(api.server_pid)
        body["input"] = {"size": size}
        request = client.build_request("POST", f"/threads/{thread_id}/runs/stream", json=body)
        opened, sending = await asyncio.open_connection("127.0.0.1", api.port, limit=4096)
        sending.write(as_bytes(request))
        received = await opened.read(1000)
        run_id = (await client.get(f"/threads/{thread_id}/runs")).json()[0]["run_id"]
        values = (await client.get(f"/threads/{thread_id}/runs/{run_id}/join")).json()
        assert values["log"] == ["flooded", "flooded"]
        assert resident(api.server_pid) - before < 20 << 20
        async with asyncio.timeout(30):
            while not received.endswith(b"\r\n0\r\n\r\n"):
                piece = await opened.read(1 << 20)
                assert piece, "the stream was cut"
                received += piece
        sending.close()
        await sending.wait_closed()
    # Of a thread Redis keeps 20,000 entries; the older ones were lost to him, but for what the network held.
    assert GAP.encode() in received[-500:]


def resident(pid: int) -> int:
    """Bytes of memory that a process holds."""
    with open(f"/proc/{pid}/status") as status:
        (line,) = [line for line in status if line.startswith("VmRSS:")]
    return int(line.split()[1]) << 10
