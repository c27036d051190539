"""A server and its workers as processes of their own, on one data directory of SQLite."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.server_process import PROJECT, ServerProcess
from tests.waiting import until

LEASE = {"RUN_LEASE_SECONDS": "3", "RUN_HEARTBEAT_SECONDS": "0.5"}


class Installation:
    """Starts the processes; `--no-worker` and `worker`, as a user types it."""

    def __init__(self, make: Callable[..., ServerProcess], data_dir: Path) -> None:
        self._make = make
        self.data_dir = data_dir
        self.config = PROJECT
        self.environ = dict(LEASE)

    def server(self, *flags: str) -> ServerProcess:
        """Not started."""
        given = {"config": self.config, "data_dir": self.data_dir, "environ": self.environ}
        return self._make(*flags, **given)

    def api(self) -> ServerProcess:
        """A server that leaves the runs to workers."""
        return self.server("--no-worker").start()

    def worker(self, *flags: str) -> ServerProcess:
        """A worker that is ready."""
        worker = self.starting_worker(*flags)
        until(lambda: "Ready to execute runs" in worker.output(), "the worker is not ready", 60)
        return worker

    def starting_worker(self, *flags: str) -> ServerProcess:
        """A worker that may have to wait."""
        given = {"config": self.config, "data_dir": self.data_dir, "environ": self.environ}
        worker = self._make(*flags, command="worker", **given)
        worker.launch()
        return worker


@pytest.fixture
def installation(server_factory: Callable[..., ServerProcess], tmp_path: Path) -> Installation:
    """On an empty data directory."""
    return Installation(server_factory, tmp_path / "data")


def children(server: ServerProcess, command: str) -> list[int]:
    """The processes below a supervisor that run one of our commands."""
    pid = server.supervisor_pid
    below = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [
        int(child) for child in below if command in Path(f"/proc/{child}/cmdline").read_text().split("\0")
    ]
