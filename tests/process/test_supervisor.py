"""The supervisor with a real child process, real signals and kill -9."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.waiting import gone, until

HERE = Path(__file__).parent
ROOT = HERE.parent.parent


class Scene:
    """One supervisor under test and the facts its children have written."""

    def __init__(self, facts: Path) -> None:
        self.facts = facts
        self.top: subprocess.Popen[str] | None = None

    def start(self, *habits: str, watch: Path | None = None) -> "subprocess.Popen[str]":
        flags = ["--watch", str(watch)] if watch else []
        self.top = subprocess.Popen(
            [sys.executable, str(HERE / "top.py"), *flags, str(self.facts), *habits],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stderr=subprocess.PIPE,
            text=True,
        )
        return self.top

    def lines(self) -> list[str]:
        return self.facts.read_text().splitlines() if self.facts.exists() else []

    def pids(self) -> list[int]:
        return [int(line.split()[1]) for line in self.lines() if line.startswith("pid")]

    def child(self, nth: int = 1) -> int:
        """The pid of the nth child, once it is ready."""
        until(lambda: len(self.pids()) >= nth)
        return self.pids()[nth - 1]


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    made = Scene(tmp_path / "facts")
    yield made
    if made.top is not None:
        made.top.kill()
        made.top.wait()
        if made.top.stderr:
            made.top.stderr.close()
    for pid in made.pids():
        until(lambda pid=pid: gone(pid))


def test_a_killed_child_is_back_in_under_a_second(scene: Scene) -> None:
    scene.start()
    first = scene.child()
    killed_at = time.monotonic()
    os.kill(first, signal.SIGKILL)
    second = scene.child(2)
    assert time.monotonic() - killed_at < 1.0
    assert second != first


def test_restarts_back_off(scene: Scene) -> None:
    scene.start()
    delays = []
    for nth in (1, 2, 3, 4):
        pid = scene.child(nth)
        killed_at = time.monotonic()
        os.kill(pid, signal.SIGKILL)
        scene.child(nth + 1)
        delays.append(time.monotonic() - killed_at)
    assert delays[0] >= 0.1
    assert delays[2] >= 0.4
    assert delays[3] >= 0.8


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 0), (signal.SIGHUP, 7)])
def test_signals_are_passed_on_and_the_exit_code_comes_back(scene: Scene, number: int, code: int) -> None:
    top = scene.start()
    scene.child()
    top.send_signal(number)
    assert top.wait(timeout=5) == code
    assert scene.lines()[-1] == f"signal {int(number)}"


def test_a_failure_before_ready_ends_the_supervisor_with_its_exit_code(scene: Scene) -> None:
    top = scene.start("fail")
    assert top.wait(timeout=5) == 2
    assert top.stderr is not None
    assert top.stderr.read() == "no such graph\n"


def test_a_child_killed_before_it_is_ready_is_started_again(scene: Scene) -> None:
    scene.start("never_ready")
    os.kill(scene.child(), signal.SIGKILL)
    assert scene.child(2) != scene.child()


def test_the_child_dies_with_a_killed_supervisor(scene: Scene) -> None:
    top = scene.start()
    child = scene.child()
    top.kill()
    until(lambda: gone(child), seconds=1)


def test_a_stop_during_the_back_off_ends_at_once(scene: Scene) -> None:
    top = scene.start()
    for nth in (1, 2, 3, 4):
        os.kill(scene.child(nth), signal.SIGKILL)
    top.send_signal(signal.SIGTERM)
    top.wait(timeout=5)
    assert all(gone(pid) for pid in scene.pids())


def test_a_changed_file_restarts_the_child(scene: Scene, tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    scene.start(watch=project)
    first = scene.child()
    (project / "graph.py").write_text("graph = None\n")
    second = scene.child(2)
    assert second != first
    assert scene.lines()[1] == f"signal {int(signal.SIGTERM)}"


def test_the_lifeline_alone_also_ends_the_child() -> None:
    """Systems without a parent-death signal rely on the pipe."""
    program = (
        "import os, sys, threading; from robyn_server.supervisor import die_at_end_of;"
        "threading.Thread(target=die_at_end_of, args=(int(sys.argv[1]),)).start(); print('on', flush=True)"
    )
    reading, writing = os.pipe()
    child = subprocess.Popen(
        [sys.executable, "-c", program, str(reading)],
        pass_fds=(reading,),
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    os.close(reading)
    assert child.stdout is not None
    with child.stdout:
        assert child.stdout.readline() == b"on\n"
        os.close(writing)
        assert child.wait(timeout=1) == -signal.SIGKILL
