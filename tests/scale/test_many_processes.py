"""Any node serves any request, and what a dead worker leaves another finishes."""

import asyncio
import os
import signal
from pathlib import Path
from typing import Any

from tests.crash.journal import notes, order
from tests.http.test_multitask import no_overlap
from tests.scale.conftest import Nodes
from tests.server_process import ServerProcess
from tests.waiting import eventually

WITHIN = 60


async def test_a_run_is_followed_joined_and_cancelled_from_nodes_that_do_not_execute_it(nodes: Nodes) -> None:
    here, there = nodes.api("--no-worker"), nodes.api("--no-worker")
    nodes.worker()
    async with here.sdk() as one, there.sdk() as other, asyncio.timeout(WITHIN):
        thread_id = (await one.threads.create())["thread_id"]
        streamed = [
            part.event
            async for part in one.runs.stream(thread_id, "steps", input={"log": []}, stream_mode="updates")
        ]
        assert streamed[0] == "metadata" and streamed.count("updates") > 1
        assert (await other.threads.get(thread_id))["status"] == "idle"

        run = await one.runs.create(
            thread_id, "slow", input={"rounds": 5, "pause": 0.1}, stream_resumable=True
        )
        followed = [part.event async for part in other.runs.join_stream(thread_id, run["run_id"])]
        assert "error" not in followed
        assert len((await other.runs.join(thread_id, run["run_id"]))["log"]) >= 5

        run = await one.runs.create(thread_id, "slow", input={"rounds": 500, "pause": 0.1})
        stream = other.runs.join_stream(thread_id, run["run_id"])
        await anext(stream)
        await other.runs.cancel(thread_id, run["run_id"], wait=True)
        assert (await one.runs.get(thread_id, run["run_id"]))["status"] == "interrupted"


def kill(worker: ServerProcess) -> None:
    """kill -9 of the process that works and of its supervisor: nobody starts it again."""
    pid = worker.server_pid
    os.kill(worker.supervisor_pid, signal.SIGSTOP)
    os.kill(pid, signal.SIGKILL)
    worker.end()


async def test_what_a_killed_worker_leaves_another_finishes(nodes: Nodes, tmp_path: Path) -> None:
    api, first, _ = nodes.api("--no-worker"), nodes.worker("--slots", "8"), nodes.worker("--slots", "8")
    journal = tmp_path / "journal"
    given = {"log": [], "journal": str(journal), "rounds": 3, "pause": 0.1}
    async with api.sdk() as sdk, asyncio.timeout(WITHIN):
        threads = [(await sdk.threads.create())["thread_id"] for _ in range(6)]
        made = {
            thread_id: [
                (await sdk.runs.create(thread_id, "slow", input=given, multitask_strategy="enqueue"))[
                    "run_id"
                ]
                for _ in range(4)
            ]
            for thread_id in threads
        }
        while not notes(journal):  # noqa: ASYNC110 - the fact is in a file
            await asyncio.sleep(0.02)
        kill(first)
        for thread_id, runs in made.items():
            for run_id in runs:
                await sdk.runs.join(thread_id, run_id)
                assert (await sdk.runs.get(thread_id, run_id))["status"] == "success"
            assert order(notes(journal), thread_id) == runs


async def test_one_run_at_a_time_on_a_thread_whoever_executes_it(nodes: Nodes, tmp_path: Path) -> None:
    servers = [nodes.api(), nodes.api()]
    journal = tmp_path / "journal"
    given = {"log": [], "journal": str(journal), "pause": 0.02}
    async with servers[0].sdk() as one, servers[1].sdk() as other, asyncio.timeout(WITHIN):
        threads = [(await one.threads.create())["thread_id"] for _ in range(4)]
        await asyncio.gather(
            *(
                sdk.runs.wait(thread_id, "exclusive", input=given, multitask_strategy="enqueue")
                for thread_id in threads
                for sdk in (one, other)
                for _ in range(5)
            )
        )
    no_overlap(journal, threads)


async def test_a_cron_fires_once_for_all_nodes(nodes: Nodes) -> None:
    nodes.environ["CRON_SCHEDULER_SLEEP_TIME"] = "0.1"
    api = nodes.api()
    nodes.worker()
    await fires_once(api)


async def fires_once(server: ServerProcess) -> None:
    """A cron of every other second makes one run each time, however many processes look at it."""
    async with server.sdk() as sdk, asyncio.timeout(WITHIN):
        thread_id = (await sdk.threads.create())["thread_id"]
        await sdk.crons.create_for_thread(thread_id, "echo", schedule="* * * * * */2", input={})
        found: list[Any] = []

        async def three() -> bool:
            found[:] = await sdk.runs.list(thread_id, limit=100)
            return len(found) >= 3

        await eventually(three, "the cron does not fire", WITHIN)
    times = [run["created_at"][:19] for run in found]
    assert len(set(times)) == len(times)
