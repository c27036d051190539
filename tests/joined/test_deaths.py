"""kill -9 of either side, and who may use a data directory."""

import asyncio
import json
import os
import signal
import uuid
from pathlib import Path

import httpx

from tests.crash.journal import notes, order, repeated
from tests.joined.conftest import Installation, children
from tests.server_process import ServerProcess
from tests.stream_reader import StreamReader
from tests.waiting import eventually, gone, until

WITHIN = 60


def body(journal: Path, rounds: int) -> dict[str, object]:
    given = {"log": [], "journal": str(journal), "rounds": rounds, "pause": 0.1}
    return {
        "assistant_id": "slow",
        "input": given,
        "stream_mode": ["values"],
        "multitask_strategy": "enqueue",
    }


async def follow_through(server: ServerProcess, journal: Path, *, strike: int) -> StreamReader:
    """Follow a run that somebody is killed under, with another queued behind it."""
    thread_id = str(uuid.uuid4())
    async with httpx.AsyncClient(base_url=server.url, timeout=WITHIN) as client:
        await client.post("/threads", json={"thread_id": thread_id})
        reader = StreamReader(client)
        following = asyncio.create_task(reader.create_and_follow(thread_id, body(journal, 20)))
        await eventually(lambda: len(reader.frames) > 4, "the run has not begun")
        behind = (await client.post(f"/threads/{thread_id}/runs", json=body(journal, 3))).json()["run_id"]
        os.kill(strike, signal.SIGKILL)
        async with asyncio.timeout(WITHIN):
            await following
        await eventually(server.answers, "the server does not come back")
        async with asyncio.timeout(WITHIN):
            await client.get(f"/threads/{thread_id}/runs/{behind}/join")
        assert order(notes(journal), thread_id) == [reader.run_id, behind]
        runs = (await client.get(f"/threads/{thread_id}/runs")).json()
        assert [run["status"] for run in runs] == ["success", "success"]
        assert (await client.get(f"/threads/{thread_id}")).json()["status"] == "idle"
    reader.check_ids()
    assert reader.frames[-1].event == "values"
    assert reader.frames[-1].data["log"] == [f"step{n}" for n in range(20)]
    return reader


async def test_a_worker_goes_on_while_the_server_is_killed(
    installation: Installation, tmp_path: Path
) -> None:
    """Every frame comes once, of the one attempt, those from while the server was away too."""
    api = installation.api()
    installation.worker()
    journal = tmp_path / "journal"
    reader = await follow_through(api, journal, strike=api.server_pid)
    assert [frame.data["attempt"] for frame in reader.of("metadata")] == [1]
    assert [len(frame.data["log"]) for frame in reader.of("values")] == list(range(21))
    assert reader.connections > 1 and not repeated(notes(journal), reader.run_id)


async def test_what_a_killed_worker_was_doing_goes_on(installation: Installation, tmp_path: Path) -> None:
    """Its supervisor starts another, which takes the run back when the lease is over."""
    api = installation.api()
    worker = installation.worker()
    journal = tmp_path / "journal"
    reader = await follow_through(api, journal, strike=worker.server_pid)
    assert [frame.data["attempt"] for frame in reader.of("metadata")] == [1, 2]
    # `durability: async`: of what had been done only the newest step may be done again.
    assert len(repeated(notes(journal), reader.run_id)) <= 2


async def test_one_command_starts_both_and_starts_them_again(
    installation: Installation, tmp_path: Path
) -> None:
    server = installation.server("--worker-processes", "1").start()
    until(lambda: children(server, "worker"), "there is no worker")
    journal = tmp_path / "journal"
    reader = await follow_through(server, journal, strike=children(server, "worker")[0])
    assert [frame.data["attempt"] for frame in reader.of("metadata")] == [1, 2]
    await follow_through(server, tmp_path / "journal2", strike=children(server, "serve")[0])
    both = children(server, "worker") + children(server, "serve")
    server.stop()
    assert all(gone(pid) for pid in both)


async def test_what_all_left_behind_is_taken_back_at_once(installation: Installation) -> None:
    """Not only when the leases are over: nobody is left to hold them."""
    installation.environ |= {"RUN_LEASE_SECONDS": "600", "RUN_HEARTBEAT_SECONDS": "1"}
    server = installation.server("--worker-processes", "1").start()
    async with server.sdk() as sdk, asyncio.timeout(WITHIN):
        thread_id = (await sdk.threads.create())["thread_id"]
        given = {"log": [], "rounds": 20, "pause": 0.1}
        run = await sdk.runs.create(thread_id, "slow", input=given)
        await anext(sdk.runs.join_stream(thread_id, run["run_id"]))
        both = children(server, "worker") + children(server, "serve")
        server.kill_supervisor_and_wait()
        await eventually(lambda: all(gone(pid) for pid in both), "they outlive their supervisor")
        await asyncio.to_thread(server.start)
        assert len((await sdk.runs.join(thread_id, run["run_id"]))["log"]) == 20


async def test_a_stopped_installation_ends_what_is_short_and_hands_back_what_is_long(
    installation: Installation,
) -> None:
    installation.environ["SHUTDOWN_GRACE_SECONDS"] = "2"
    server = installation.server("--worker-processes", "1").start()
    async with server.sdk() as sdk, httpx.AsyncClient(base_url=server.url, timeout=WITHIN) as client:
        threads = [(await sdk.threads.create())["thread_id"] for _ in range(2)]
        long = await sdk.runs.create(threads[1], "slow", input={"log": [], "rounds": 60, "pause": 0.1})
        given = {"assistant_id": "slow", "input": {"log": [], "rounds": 5, "pause": 0.2}}
        async with client.stream("POST", f"/threads/{threads[0]}/runs/stream", json=given) as answer:
            lines = answer.aiter_lines()
            assert await anext(lines) == "event: metadata"
            server.terminate()
            data = [line async for line in lines if line.startswith("data:")]
    assert json.loads(data[-1].removeprefix("data:"))["log"] == [f"step{n}" for n in range(5)]
    await asyncio.to_thread(server.has_ended)
    assert not (installation.data_dir / "hub.sock").exists()
    alone = installation.server().start()
    async with alone.sdk() as sdk, asyncio.timeout(WITHIN):
        done = await sdk.runs.join(threads[1], long["run_id"])
        assert done["log"] == [f"step{n}" for n in range(60)]


def test_it_ends_at_once_also_while_the_worker_is_starting(installation: Installation) -> None:
    installation.server("--worker-processes", "1").start().stop(within=20)


def test_who_may_use_a_data_directory(installation: Installation) -> None:
    alone = installation.server().start()
    worker = installation.starting_worker()
    until(lambda: refused(worker), "the worker was not refused")
    assert f"Process {alone.server_pid} executes the runs of" in worker.output()
    alone.stop()

    waiting = installation.starting_worker()
    until(lambda: "Waiting for the server" in waiting.output(), "the worker does not say that it waits")
    api = installation.api()
    until(lambda: "Ready to execute runs" in waiting.output(), "the worker has not come")
    second = installation.server("--no-worker")
    second.launch()
    until(lambda: refused(second), "the second server was not refused")
    assert f"in use by process {api.server_pid}:" in second.output()
    api.stop()

    third = installation.server()
    third.launch()
    until(lambda: refused(third), "a server without workers was not refused")
    assert f"the last to come was {waiting.server_pid})" in third.output()
    waiting.stop()
    installation.server().start().stop()


def refused(process: ServerProcess) -> bool:
    return process.exit_code() == 2
