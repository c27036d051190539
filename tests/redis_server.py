"""A Redis server for tests, on a free port, with its data in a temporary folder."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
from pathlib import Path

import pytest

from tests.waiting import free_port, until


class RedisServer:
    """One server, which may be killed and started again on the same data and port."""

    def __init__(self) -> None:
        found = shutil.which("redis-server") or shutil.which("valkey-server")
        if found is None:
            missing = "Redis is not installed (on Debian: apt-get install redis-server)"
            if os.environ.get("CI"):
                pytest.fail(missing)
            pytest.skip(missing)
        self._program = found
        self.folder = Path(tempfile.mkdtemp(prefix="redis-"))
        self.port = free_port()
        self.uri = f"redis://127.0.0.1:{self.port}/0"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> "RedisServer":
        """Start it and wait until it answers."""
        settings = {"bind": "127.0.0.1", "port": str(self.port), "dir": str(self.folder), "appendonly": "yes"}
        arguments = [part for name, value in settings.items() for part in (f"--{name}", value)]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._program, *arguments, "--save", ""],
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self.folder,
            )
        until(self._answers, "Redis does not answer")
        return self

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """Stop it; SIGKILL loses what a crash loses."""
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(20)
            self._process = None

    def end(self) -> None:
        """Stop it and remove its data."""
        self.stop(signal.SIGKILL)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as line:
                line.sendall(b"PING\r\n")
                return line.recv(16).startswith(b"+PONG")
        except OSError:
            return False
