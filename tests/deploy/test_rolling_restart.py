"""Nodes behind the nginx configuration that we ship: served by all, restarted one after the other under load."""

import asyncio
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from langgraph_sdk import get_client
from langgraph_sdk.client import LangGraphClient

from tests.deploy.nginx import nginx_before
from tests.scale.conftest import Nodes
from tests.server_process import ServerProcess
from tests.waiting import eventually, until

WITHIN = 120
GRACE = {"SHUTDOWN_GRACE_SECONDS": "1"}
BRIEF = {"log": [], "rounds": 3, "pause": 0.1}
LONG = {"log": [], "rounds": 25, "pause": 0.3}
"""Seconds: long enough to be cut by a restart, and for a wait to have become a late answer."""

pytestmark = [
    # What the SDK says when it does what this file asks of it.
    pytest.mark.filterwarnings("ignore:Request failed, attempting reconnect"),
    pytest.mark.filterwarnings("ignore:Reconnecting without a Last-Event-ID"),
]


class Load:
    """Clients that never rest, each through nginx; what fails is raised by `stop`."""

    def __init__(self, sdk: LangGraphClient) -> None:
        self.rounds = 0
        self._sdk = sdk
        self._stopping = False
        self._clients: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Four that look, four that wait, four that stream, and two each with runs that outlast a restart."""
        for work, clients, given in (
            (self._look, 4, BRIEF),
            (self._wait, 4, BRIEF),
            (self._stream, 4, BRIEF),
            (self._wait, 2, LONG),
            (self._stream, 2, LONG),
        ):
            self._clients += [asyncio.create_task(self._again_and_again(work, given)) for _ in range(clients)]

    async def stop(self) -> None:
        """Let each finish what it does. Raises what has failed."""
        self._stopping = True
        await asyncio.gather(*self._clients)

    async def _again_and_again(self, work: Callable[[Any], Awaitable[None]], given: Any) -> None:
        while not self._stopping:
            await work(given)
            self.rounds += 1

    async def _look(self, _: Any) -> None:
        thread = await self._sdk.threads.create(metadata={"of": "load"})
        assert (await self._sdk.threads.get(thread["thread_id"]))["status"] == "idle"
        assert await self._sdk.threads.search(metadata={"of": "load"}, limit=3)

    async def _wait(self, given: Any) -> None:
        thread_id = (await self._sdk.threads.create())["thread_id"]
        said = await self._sdk.runs.wait(thread_id, "slow", input=given)
        assert len(said["log"]) == given["rounds"]

    async def _stream(self, given: Any) -> None:
        """Every frame of a resumable stream, each once, in order: what a reader finds who comes when all is over."""
        thread_id = (await self._sdk.threads.create())["thread_id"]
        streamed = [
            part
            async for part in self._sdk.runs.stream(
                thread_id, "slow", input=given, stream_mode=["updates", "values"], stream_resumable=True
            )
        ]
        (run,) = await self._sdk.runs.list(thread_id)
        assert run["status"] == "success"
        replayed = self._sdk.runs.join_stream(thread_id, run["run_id"], last_event_id="-")
        assert [(part.id, part.event) for part in streamed] == [
            (part.id, part.event) async for part in replayed
        ]


async def restarted(node: ServerProcess) -> None:
    """SIGTERM, a good end, and a start on the same port."""
    await asyncio.to_thread(node.stop)
    await asyncio.to_thread(node.start)


@pytest.mark.parametrize(
    "with_workers",
    [
        pytest.param(False, id="servers and a worker"),
        pytest.param(True, id="servers that work", marks=pytest.mark.soak),
    ],
)
async def test_a_rolling_restart_fails_no_request_and_loses_no_frame(
    nodes: Nodes, tmp_path: Path, with_workers: bool
) -> None:
    nodes.environ.update(GRACE)
    flags = () if with_workers else ("--no-worker",)
    servers = [nodes.api(*flags), nodes.api(*flags)]
    worker = nodes.worker()
    with nginx_before(tmp_path, [server.port for server in servers]) as port:
        async with get_client(url=f"http://127.0.0.1:{port}") as sdk, asyncio.timeout(WITHIN):
            load = Load(sdk)
            load.start()
            for server in servers:
                before = load.rounds
                await eventually(lambda before=before: load.rounds > before + 20, "the load stands still")
                await restarted(server)
            await asyncio.to_thread(worker.stop)
            worker.launch()
            await load.stop()
        seen = (tmp_path / "access.log").read_text().splitlines()
        assert not [line for line in seen if line.split('" ')[1].startswith("5")]


async def test_any_node_serves_what_another_has_begun(nodes: Nodes, tmp_path: Path) -> None:
    servers = [nodes.api("--no-worker"), nodes.api("--no-worker")]
    nodes.worker()
    with nginx_before(tmp_path, [server.port for server in servers]) as port:
        async with get_client(url=f"http://127.0.0.1:{port}") as sdk, asyncio.timeout(WITHIN):
            thread_id = (await sdk.threads.create())["thread_id"]
            run = await sdk.runs.create(thread_id, "slow", input=LONG, stream_resumable=True)
            readers = [sdk.runs.join_stream(thread_id, run["run_id"], last_event_id="-") for _ in range(4)]
            first = [await anext(reader) for reader in readers]
            assert len({part.id for part in first}) == 1
            await sdk.runs.cancel(thread_id, run["run_id"], wait=True)
            rest = [[part.id async for part in reader] for reader in readers]
            assert rest[0] and all(one == rest[0] for one in rest)


async def test_a_node_that_drains_says_so_and_serves_on(nodes: Nodes) -> None:
    nodes.environ["SHUTDOWN_DELAY_SECONDS"] = "2"
    node = nodes.api()
    async with httpx.AsyncClient(base_url=node.url) as client, asyncio.timeout(WITHIN):
        run = {"assistant_id": "slow", "input": {"log": [], "rounds": 4, "pause": 0.3}}
        thread_id = (await client.post("/threads", json={})).json()["thread_id"]
        await client.post(f"/threads/{thread_id}/runs", json=run)
        node.terminate()
        await eventually(lambda: ok(client, 503), "it does not say that it drains")
        # Not this node any more, but whoever is left will execute it.
        assert (await client.post("/threads", json={})).status_code == 200
        assert (await client.post(f"/threads/{thread_id}/runs", json=run)).status_code == 200
        await asyncio.to_thread(node.has_ended)
    other = nodes.api()
    with other.http() as client_of_other:
        until(
            lambda: (
                [one["status"] for one in client_of_other.get(f"/threads/{thread_id}/runs").json()]
                == ["success"] * 2
            ),
            "what was asked of a draining node is not done",
        )


async def ok(client: httpx.AsyncClient, status: int) -> bool:
    return (await client.get("/ok")).status_code == status


def test_a_second_signal_ends_a_draining_node_at_once(nodes: Nodes) -> None:
    nodes.environ["SHUTDOWN_DELAY_SECONDS"] = "600"
    node = nodes.api("--no-worker")
    node.terminate()
    until(lambda: not node.answers(), "it does not say that it drains")
    node.terminate()
    with pytest.raises(AssertionError, match="ended with 1"):
        node.has_ended(within=10)


def test_what_listens_nowhere_ends_soon(nodes: Nodes) -> None:
    worker = nodes.worker()
    worker._running.send_signal(signal.SIGTERM)
    worker.has_ended(within=20)
