"""PostgreSQL that goes away in mid-load, and a pool of connections with nothing left in it."""

import asyncio
import signal
import time
from collections import Counter
from typing import Any

import httpx
import psycopg
import pytest

from tests.crash.scenes import TIMEOUT
from tests.postgres_server import PostgresServer
from tests.redis_server import RedisServer
from tests.scale.conftest import Nodes, nodes_on
from tests.waiting import eventually

ACTIVE = ("pending", "running")


@pytest.fixture
def on_own_postgres(server_factory: Any, own_postgres: PostgresServer, redis_server: RedisServer) -> Nodes:
    """Nodes on a PostgreSQL that the test may stop."""
    return nodes_on(server_factory, own_postgres.database("own"), redis_server)


class Load:
    """Clients that queue runs, one after the other, until told to stop."""

    def __init__(self, client: httpx.AsyncClient, threads: list[str]) -> None:
        self._client = client
        self.made: dict[str, list[str]] = {thread_id: [] for thread_id in threads}
        self.answers: Counter[int] = Counter()
        self.enough = False

    async def on(self, thread_id: str) -> None:
        """Queue runs on one thread."""
        while not self.enough:
            body = {"assistant_id": "slow", "input": {"log": [], "rounds": 1, "pause": 0.05}}
            answer = await self._client.post(f"/threads/{thread_id}/runs", json=body)
            self.answers[answer.status_code] += 1
            if answer.status_code == 200:
                self.made[thread_id].append(answer.json()["run_id"])
            else:
                assert answer.status_code == 503, answer.text
                assert int(answer.headers["retry-after"]) >= 1
            await asyncio.sleep(0.1)


async def restart_in_mid_load(nodes: Nodes, postgres: PostgresServer, rounds: int) -> None:
    """What was acknowledged is there afterwards and comes to its end; what was not got a clear answer."""
    patient = {"BG_JOB_MAX_RETRIES": "50"}
    api = nodes.api("--no-worker", **patient)
    await asyncio.to_thread(nodes.worker, **patient)
    async with httpx.AsyncClient(base_url=api.url, timeout=TIMEOUT) as client:
        threads = [(await client.post("/threads", json={})).json()["thread_id"] for _ in range(8)]
        load = Load(client, threads)
        loading = [asyncio.create_task(load.on(thread_id)) for thread_id in threads]
        for number in range(rounds):
            before = sum(map(len, load.made.values()))
            await eventually(
                lambda before=before: sum(map(len, load.made.values())) > before + 16, "nothing is queued", 60
            )
            how = (signal.SIGINT, signal.SIGQUIT)[number % 2]
            await asyncio.to_thread(postgres.stop, how)
            await asyncio.to_thread(postgres.start)
        before = sum(map(len, load.made.values()))
        await eventually(lambda: sum(map(len, load.made.values())) > before + 16, "it does not go on", 60)
        load.enough = True
        await asyncio.gather(*loading)
        for thread_id, mine in load.made.items():
            for run_id in mine:
                await eventually(
                    lambda path=f"/threads/{thread_id}/runs/{run_id}": ended_well(client, path),
                    "an acknowledged run does not come to its end",
                    60,
                )
            assert (await client.get(f"/threads/{thread_id}")).json()["status"] == "idle"
            state = (await client.get(f"/threads/{thread_id}/state")).json()
            assert len(state["values"]["log"]) >= len(mine)


async def ended_well(client: httpx.AsyncClient, path: str) -> bool:
    """Whether the run is a success; fails when it never can be."""
    run = (await client.get(path)).json()
    assert run["status"] in (*ACTIVE, "success"), run
    return bool(run["status"] == "success")


async def test_a_restart_of_postgres_in_mid_load(
    on_own_postgres: Nodes, own_postgres: PostgresServer
) -> None:
    await restart_in_mid_load(on_own_postgres, own_postgres, 1)


@pytest.mark.soak
async def test_many_restarts_of_postgres(
    on_own_postgres: Nodes, own_postgres: PostgresServer, rounds: int
) -> None:
    await restart_in_mid_load(on_own_postgres, own_postgres, rounds)


async def test_a_full_pool_of_connections(nodes: Nodes) -> None:
    """Requests wait, then are told to come again; the leases are renewed meanwhile, and nothing is stuck after it."""
    api = nodes.api(DATABASE_CONNECTIONS="2")
    uri = nodes.environ["DATABASE_URI"]
    async with httpx.AsyncClient(base_url=api.url, timeout=TIMEOUT) as client:
        thread_id = (await client.post("/threads", json={})).json()["thread_id"]
        body = {"assistant_id": "slow", "input": {"log": [], "rounds": 1, "pause": 12}}
        run_id = (await client.post(f"/threads/{thread_id}/runs", json=body)).json()["run_id"]
        await eventually(lambda: leased(uri), "the run does not begin")
        with psycopg.connect(uri) as holder:
            # Whoever asks for a thread now waits, with a connection in his hands.
            holder.execute("LOCK TABLE thread IN ACCESS EXCLUSIVE MODE")
            asking = [asyncio.create_task(client.get(f"/threads/{thread_id}")) for _ in range(20)]
            first = asyncio.ensure_future(asyncio.wait(asking, return_when=asyncio.FIRST_COMPLETED))
            began = time.monotonic()
            while not first.done():
                await asyncio.sleep(0.25)
                assert leased(uri), "the lease was not renewed"
            done, waiting = await first
            assert time.monotonic() - began > 5, "it waited for a connection"
            for answer in [one.result() for one in done]:
                assert answer.status_code == 503 and answer.headers["retry-after"], answer.text
            holder.rollback()
        answers = [answer.status_code for answer in await asyncio.gather(*waiting)]
        assert set(answers) <= {200, 503} and 200 in answers, answers
        assert (await client.get(f"/threads/{thread_id}/runs/{run_id}/join")).json()["log"] == ["step0"]
        assert (await client.get(f"/threads/{thread_id}")).status_code == 200
    assert attempts(uri) == 1


def leased(uri: str) -> bool:
    """Whether the one run is in somebody's hands."""
    with psycopg.connect(uri) as connection:
        rows = connection.execute("SELECT 1 FROM run WHERE lease_until > now()").fetchall()
    return bool(rows)


def attempts(uri: str) -> int:
    """How often the one run was begun."""
    with psycopg.connect(uri) as connection:
        ((count,),) = connection.execute("SELECT attempt FROM run").fetchall()
    return int(count)
