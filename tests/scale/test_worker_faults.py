"""Workers that are killed, stand still, or live in another time."""

import asyncio
import os
import signal
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import httpx
import pytest

from tests.crash.journal import notes, repeated
from tests.crash.scenes import TIMEOUT
from tests.crash.test_overlap import check_journal
from tests.scale.conftest import Nodes, is_ready
from tests.server_process import ServerProcess
from tests.stream_reader import StreamReader
from tests.waiting import eventually

PATIENT = {"BG_JOB_MAX_RETRIES": "50"}
THREADS = 12
FAKETIME = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), None)


@pytest.mark.parametrize(
    ("kills", "runs", "pause"),
    [(2, 48, 0.15), pytest.param(10, 300, 0.5, marks=pytest.mark.soak)],
    ids=["short", "long"],
)
async def test_kills_of_workers_lose_and_double_nothing(
    nodes: Nodes, tmp_path: Path, kills: int, runs: int, pause: float
) -> None:
    journal = tmp_path / "journal"
    given = {"log": [], "journal": str(journal), "pause": pause}
    api, workers = nodes.api("--no-worker", **PATIENT), nodes.workers(2, "--slots", "6", **PATIENT)
    async with api.sdk() as sdk:
        threads = [(await sdk.threads.create())["thread_id"] for _ in range(THREADS)]

        async def fill(thread_id: str) -> list[str]:
            return [
                (await sdk.runs.create(thread_id, "exclusive", input=given, multitask_strategy="enqueue"))[
                    "run_id"
                ]
                for _ in range(runs // THREADS)
            ]

        filling = asyncio.gather(*map(fill, threads))
        killed_at = await kill_again_and_again(workers, journal, kills)
        made = await filling
        async with asyncio.timeout(120 if kills < 10 else 180):
            for thread_id, mine in zip(threads, made, strict=True):
                for run_id in mine:
                    await sdk.runs.join(thread_id, run_id)
                    assert (await sdk.runs.get(thread_id, run_id))["status"] == "success"
                values = (await sdk.threads.get_state(thread_id))["values"]
                assert values["log"] == [run_id for run_id in mine for _ in range(2)]
    written = notes(journal)
    for thread_id, mine in zip(threads, made, strict=True):
        here = [note for note in written if note.thread_id == thread_id]
        assert list(dict.fromkeys(note.run_id for note in here)) == mine
        check_journal(here, killed_at)


async def kill_again_and_again(workers: Sequence[ServerProcess], journal: Path, kills: int) -> list[float]:
    """One worker after the other, each while runs go on; its supervisor starts it again. When."""
    killed_at = []
    for number in range(kills):
        worker, before = workers[number % len(workers)], len(notes(journal))
        times = number // len(workers) + 1
        await eventually(lambda w=worker, t=times: is_ready(w, t), "the worker does not come back", 60)
        await eventually(lambda before=before: len(notes(journal)) > before + 10, "nothing goes on", 60)
        killed_at.append(time.time())
        await asyncio.to_thread(worker.kill_server)
    return killed_at


async def test_a_worker_that_stood_still_past_its_lease_does_no_harm(nodes: Nodes, tmp_path: Path) -> None:
    journal, steps = tmp_path / "journal", 18
    given = {"log": [], "journal": str(journal), "rounds": steps, "pause": 0.25}
    api, first = nodes.api("--no-worker"), nodes.worker()
    async with httpx.AsyncClient(base_url=api.url, timeout=TIMEOUT) as client:
        thread_id = (await client.post("/threads", json={})).json()["thread_id"]
        reader = StreamReader(client)
        body = {"assistant_id": "slow", "input": given, "durability": "sync", "stream_mode": ["values"]}
        reading = asyncio.create_task(reader.create_and_follow(thread_id, body))
        await eventually(lambda: len(notes(journal)) > 5, "the run does not begin")
        zombie = first.server_pid
        await stop_within_a_step(zombie, journal)
        try:
            await asyncio.to_thread(nodes.worker)
            # It wakes while the other is in the middle of the run.
            await eventually(lambda: again(journal, reader.run_id), "nobody takes the run", 30)
        finally:
            os.kill(zombie, signal.SIGCONT)
        async with asyncio.timeout(60):
            await reading
        reader.check_ids()
        attempts = [frame.data["attempt"] for frame in reader.of("metadata")]
        assert attempts == [1, 2] and reader.connections == 1
        log = [f"step{number}" for number in range(steps)]
        lengths = [len(frame.data["log"]) for frame in reader.of("values")]
        # What the zombie may have said meanwhile is not among it.
        assert lengths == sorted(lengths) and lengths[-1] == steps
        history = (await client.post(f"/threads/{thread_id}/history", json={"limit": 1000})).json()
        told = [state["metadata"]["step"] for state in history]
        assert told == list(range(steps, -2, -1)), "a checkpoint of the zombie was kept"
        assert history[0]["values"]["log"] == log
        run = (await client.get(f"/threads/{thread_id}/runs/{reader.run_id}")).json()
        assert run["status"] == "success"
        await eventually(lambda: "Lease lost" in first.output(), "the zombie does not notice")
        # The zombie works on, as itself.
        answer = await client.post("/runs/wait", json={"assistant_id": "steps", "input": {"log": []}})
        assert answer.status_code == 200


async def stop_within_a_step(pid: int, journal: Path) -> None:
    """SIGSTOP while a node takes its time. Its run writes with `durability: sync`, so nothing is under way that might
    still land: a statement that was sent before is not taken back."""
    while True:
        await eventually(lambda: notes(journal)[-1].word == "begin", "nothing goes on")
        os.kill(pid, signal.SIGSTOP)
        await eventually(lambda: stands_still(pid), "it does not stop")
        if notes(journal)[-1].word == "begin":
            return
        os.kill(pid, signal.SIGCONT)


def stands_still(pid: int) -> bool:
    """Whether all threads of a process are stopped."""
    threads = Path(f"/proc/{pid}/task").glob("*/stat")
    return all(stat.read_text().rpartition(")")[2].split()[0] == "T" for stat in threads)


def again(journal: Path, run_id: str) -> bool:
    """Whether a node of the run has begun a second time."""
    return bool(repeated(notes(journal), run_id))


@pytest.fixture
def at() -> Callable[[int], dict[str, str]]:
    """The environment of a process whose clock is so many seconds ahead. Its timers go as they do anywhere."""
    if FAKETIME is None:
        missing = "libfaketime is not installed (on Debian: apt-get install faketime)"
        if os.environ.get("CI"):
            pytest.fail(missing)
        pytest.skip(missing)
    library = str(FAKETIME)

    def environ(seconds: int) -> dict[str, str]:
        return {"LD_PRELOAD": library, "FAKETIME": f"{seconds:+d}s", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}

    return environ


async def test_clocks_that_are_minutes_apart(
    nodes: Nodes, tmp_path: Path, at: Callable[[int], dict[str, str]]
) -> None:
    nodes.environ["CRON_SCHEDULER_SLEEP_TIME"] = "0.1"
    journal = tmp_path / "journal"
    ahead = nodes.api(**at(300))
    async with ahead.sdk() as sdk, asyncio.timeout(60):
        thread_id = (await sdk.threads.create())["thread_id"]
        made, ids = [], []

        async def work() -> None:
            stream = sdk.runs.stream(
                thread_id, "exclusive", input={"log": []}, stream_mode="updates", stream_resumable=True
            )
            async for part in stream:
                ids.append(tuple(map(int, str(part.id).split("-"))))
                if part.event == "metadata":
                    made.append(part.data["run_id"])

        await work()
        # Nobody else is there: the next runs are executed by the one, then by the other.
        behind = nodes.api(**at(-300))
        await asyncio.to_thread(ahead.end)
        async with behind.sdk() as sdk:
            await work()
            # A server that is ahead must not take what another holds for abandoned, nor fire what is not due.
            await asyncio.to_thread(nodes.api, "--no-worker", **at(600))
            given = {"log": [], "journal": str(journal), "rounds": 8, "pause": 0.5}
            quiet = (await sdk.threads.create())["thread_id"]
            held = await sdk.runs.create(quiet, "slow", input=given)
            firing = (await sdk.threads.create())["thread_id"]
            await sdk.crons.create_for_thread(firing, "steps", schedule="* * * * * */2", input={"log": []})
            await sdk.runs.join(quiet, held["run_id"])
            fired = await sdk.runs.list(firing, limit=100)
            state = await sdk.threads.get_state(thread_id)
    assert state["values"]["log"] == [run_id for run_id in made for _ in range(2)]
    assert ids == sorted(set(ids))
    assert not repeated(notes(journal), held["run_id"])
    times = [run["created_at"][:19] for run in fired]
    assert 2 <= len(set(times)) == len(times)
