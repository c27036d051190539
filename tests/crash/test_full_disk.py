"""A data directory on a disk that fills up: writes are refused with 503, nothing is lost, and all goes on once
there is room."""

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from tests.crash.test_written import KINDS, Check, Write
from tests.server_process import ServerProcess

PATIENCE = 20.0


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of four megabytes."""
    place = tmp_path / "disk"
    place.mkdir()
    mounting = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(place)], capture_output=True, text=True, check=False
    )
    if mounting.returncode != 0:
        pytest.skip(f"a small disk cannot be mounted here: {mounting.stderr.strip()}")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


def fill(filler: Path) -> None:
    """Take all the room that is left."""
    with filler.open("ab", buffering=0) as file:
        try:
            while file.write(b"x" * 4096):
                pass
        except OSError:
            os.fsync(file.fileno())


def until_refused(client: httpx.Client, write: Write, filler: Path) -> list[Check]:
    """Write until there is no room; what was acknowledged before."""
    acknowledged: list[Check] = []
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        fill(filler)
        try:
            acknowledged.append(write(client, len(acknowledged)))
        except AssertionError:
            return acknowledged
    pytest.fail(f"{write.__name__}: never refused")


def test_a_full_disk_refuses_writes_and_loses_nothing(
    server_factory: Callable[..., ServerProcess], small_disk: Path
) -> None:
    brief = {"RUN_LEASE_SECONDS": "3", "RUN_HEARTBEAT_SECONDS": "1", "LOG_LEVEL": "WARNING"}
    server = server_factory(data_dir=small_disk / "data", environ=brief).start()
    filler = small_disk / "filler"
    refusals: list[int] = []
    with server.http() as client:
        client.event_hooks["response"].append(
            lambda answer: refusals.append(answer.status_code) if answer.status_code >= 400 else None
        )
        kept = [write(client, 0) for write in KINDS]
        thread_id = client.post("/threads", json={}).json()["thread_id"]
        body = {"assistant_id": "slow", "input": {"pause": 0.1, "rounds": 30}, "stream_resumable": True}
        run_id = client.post(f"/threads/{thread_id}/runs", json=body).json()["run_id"]
        for write in KINDS:
            kept += until_refused(client, write, filler)
        assert set(refusals) == {503}
        assert client.get("/ok").status_code == 200
        assert client.get(f"/threads/{thread_id}").status_code == 200
        filler.unlink()
        kept += [write(client, 10_000) for write in KINDS]
        assert all(check(client) for check in kept)
        client.get(f"/threads/{thread_id}/runs/{run_id}/join")
        run = client.get(f"/threads/{thread_id}/runs/{run_id}").json()
        assert run["status"] == "success", run
    server.stop()
    server.start()
    with server.http() as client:
        assert all(check(client) for check in kept)
        values = client.get(f"/threads/{thread_id}").json()["values"]
        assert values["log"] == [f"step{number}" for number in range(30)]
    server.stop()
