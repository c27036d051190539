"""`serve` as a whole: ready, killed, restarted, stopped."""

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from tests.waiting import free_port, gone, until

ROOT = Path(__file__).parent.parent.parent


class Serving:
    """One `serve` under test."""

    def __init__(self, project: Path, *flags: str) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.lines: list[str] = []
        self.process = subprocess.Popen(
            [sys.executable, "-m", "robyn_server", "serve", "--port", str(self.port), *flags],
            cwd=project,
            env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "SHUTDOWN_GRACE_SECONDS": "2"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as lines:
            self.lines.extend(lines)

    def is_ready(self) -> bool:
        """It answers some milliseconds before it has told its supervisor; the banner comes after both."""
        assert self.process.poll() is None, "".join(self.lines)
        return any("curl -N" in line for line in self.lines)

    def answers(self) -> bool:
        try:
            return httpx.get(f"{self.url}/ok", timeout=1).status_code == 200
        except httpx.HTTPError:
            return False

    def server_pid(self) -> int:
        """The process below the supervisor."""
        (child,) = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return int(child)

    def end(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self._reader.join(timeout=5)


@pytest.fixture
def start(project: Path) -> Iterator[Callable[..., Serving]]:
    started: list[Serving] = []

    def start_one(*flags: str) -> Serving:
        started.append(Serving(project, *flags))
        until(started[-1].is_ready, "it does not become ready")
        return started[-1]

    yield start_one
    for serving in started:
        serving.end()


def test_the_banner_and_a_quiet_end(start: Callable[..., Serving]) -> None:
    serving = start()
    shown = "".join(serving.lines)
    assert serving.url in shown
    assert "echo" in shown
    serving.process.send_signal(signal.SIGTERM)
    assert serving.process.wait(timeout=10) == 0
    serving.end()
    assert "Traceback" not in "".join(serving.lines)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_other_ways_to_stop(start: Callable[..., Serving], number: signal.Signals) -> None:
    serving = start()
    serving.process.send_signal(number)
    assert serving.process.wait(timeout=10) == 0


def test_a_killed_server_process_comes_back(start: Callable[..., Serving]) -> None:
    serving = start()
    first = serving.server_pid()
    os.kill(first, signal.SIGKILL)
    until(lambda: gone(first), "the killed process is still there", 5)
    until(serving.answers, "it does not come back")
    assert serving.server_pid() != first


def test_a_killed_supervisor_takes_the_server_along_and_another_may_start(
    start: Callable[..., Serving],
) -> None:
    first = start()
    server = first.server_pid()
    first.process.kill()
    first.process.wait()
    until(lambda: gone(server), "the server outlives its supervisor", 1)
    assert start().answers()


def test_a_second_server_on_the_same_data_is_refused(start: Callable[..., Serving], project: Path) -> None:
    first = start()
    second = Serving(project)
    assert second.process.wait(timeout=20) == 2
    second.end()
    assert f"is in use by process {first.server_pid()}" in "".join(second.lines)
    assert first.answers()


def test_a_malformed_chunked_body_costs_less_than_a_moment(start: Callable[..., Serving]) -> None:
    serving = start()
    first = serving.server_pid()
    with socket.create_connection(("127.0.0.1", serving.port), timeout=10) as connection:
        connection.sendall(b"POST /threads HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n")
        connection.recv(1024)
    until(serving.answers, "it does not come back")
    # Robyn 0.88 aborts here; should a later version answer, the process stays and this file has one test less.
    assert serving.server_pid() != first


def test_reload_takes_up_a_change(start: Callable[..., Serving], project: Path) -> None:
    serving = start("--reload")
    (project / "langgraph.json").write_text(
        '{"graphs": {"echo": "./graphs.py:graph", "again": "./graphs.py:graph"}}'
    )
    until(lambda: any("again" in line for line in serving.lines), "the change is not seen")
