"""A data directory on a disk that fills up: writes are refused with 503, nothing is lost, and all goes on once
there is room."""

import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from tests.crash.test_written import KINDS
from tests.server_process import ServerProcess

PATIENCE = 20.0


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk with room for little more than the write-ahead logs of the databases."""
    place = tmp_path / "disk"
    place.mkdir()
    mounting = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=32m", "tmpfs", str(place)],
        capture_output=True,
        text=True,
        check=False,
    )
    if mounting.returncode != 0:
        pytest.skip(f"a small disk cannot be mounted here: {mounting.stderr.strip()}")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


def fill(filler: Path) -> None:
    """Take all the room that is left."""
    with filler.open("ab", buffering=0) as file, suppress(OSError):
        while file.write(b"x" * 65536):
            pass


class Writes:
    """Writes of each kind to things that exist already, and which of them were acknowledged."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client
        self.thread_id = str(self._made("/threads", {"metadata": {"graph_id": "steps"}})["thread_id"])
        self.busy_id = str(self._made("/threads", {})["thread_id"])
        self.states: list[int] = []
        self.items: list[int] = []
        self.runs: list[str] = []

    def _made(self, path: str, body: object) -> dict[str, object]:
        answer = self._client.post(path, json=body)
        assert answer.status_code == 200, answer.text
        made: dict[str, object] = answer.json()
        return made

    def thread(self, number: int) -> httpx.Response:
        return self._client.post("/threads", json={"metadata": {"filling": "x" * 1000}})

    def state(self, number: int) -> httpx.Response:
        answer = self._client.post(f"/threads/{self.thread_id}/state", json={"values": {"log": [number]}})
        self.states += [number] if answer.is_success else []
        return answer

    def item(self, number: int) -> httpx.Response:
        body = {"namespace": ["full"], "key": str(number), "value": {"number": number}}
        answer = self._client.put("/store/items", json=body)
        self.items += [number] if answer.is_success else []
        return answer

    def run(self, number: int) -> httpx.Response:
        body = {"assistant_id": "steps", "input": {"log": [number]}}
        answer = self._client.post(f"/threads/{self.busy_id}/runs", json=body)
        self.runs += [answer.json()["run_id"]] if answer.is_success else []
        return answer

    def assistant(self, number: int) -> httpx.Response:
        return self._client.post(
            "/assistants", json={"graph_id": "steps", "metadata": {"filling": "x" * 1000}}
        )

    @property
    def kinds(self) -> Sequence[Callable[[int], httpx.Response]]:
        return (self.thread, self.state, self.item, self.run, self.assistant)

    def check(self, client: httpx.Client) -> None:
        """Everything that was acknowledged is there, and nothing that was refused."""
        state = client.get(f"/threads/{self.thread_id}/state").json()["values"]
        assert state.get("log", []) == self.states
        found = client.post("/store/items/search", json={"namespace_prefix": ["full"], "limit": 1000}).json()
        assert sorted(item["value"]["number"] for item in found["items"]) == self.items
        for run_id in self.runs:
            client.get(f"/threads/{self.busy_id}/runs/{run_id}/join")
            assert client.get(f"/threads/{self.busy_id}/runs/{run_id}").json()["status"] == "success"


def until_refused(write: Callable[[int], httpx.Response], filler: Path) -> None:
    """Write until there is no room."""
    deadline = time.monotonic() + PATIENCE
    number = 0
    while time.monotonic() < deadline:
        fill(filler)
        answer = write(number)
        number += 1
        if not answer.is_success:
            assert answer.status_code == 503, answer.text
            assert "full" in answer.json()["detail"]
            return
    pytest.fail(f"{write.__name__}: never refused")


def test_a_full_disk_refuses_writes_and_loses_nothing(
    server_factory: Callable[..., ServerProcess], small_disk: Path
) -> None:
    brief = {"RUN_LEASE_SECONDS": "3", "RUN_HEARTBEAT_SECONDS": "1", "LOG_LEVEL": "WARNING"}
    server = server_factory(data_dir=small_disk / "data", environ=brief).start()
    filler = small_disk / "filler"
    with server.http() as client:
        before = [write(client, 0) for write in KINDS]
        writes = Writes(client)
        thread_id = client.post("/threads", json={}).json()["thread_id"]
        body = {"assistant_id": "slow", "input": {"pause": 0.1, "rounds": 30}, "stream_resumable": True}
        run_id = client.post(f"/threads/{thread_id}/runs", json=body).json()["run_id"]
        for write in writes.kinds:
            until_refused(write, filler)
        assert client.get("/ok").status_code == 200
        assert client.get(f"/threads/{thread_id}").status_code == 200
        filler.unlink()
        assert all(write(10_000).is_success for write in writes.kinds)
        assert all(kept(client) for kept in before)
        writes.check(client)
        client.get(f"/threads/{thread_id}/runs/{run_id}/join")
        run = client.get(f"/threads/{thread_id}/runs/{run_id}").json()
        assert run["status"] == "success", run
    server.stop()
    server.start()
    with server.http() as client:
        writes.check(client)
        values = client.get(f"/threads/{thread_id}").json()["values"]
        assert values["log"] == [f"step{number}" for number in range(30)]
    server.stop()
