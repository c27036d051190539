"""A real server: `python -m robyn_server serve` as a process of its own, on a free port and its own data."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx
from langgraph_sdk import get_client, get_sync_client
from langgraph_sdk.client import LangGraphClient, SyncLangGraphClient

from tests.waiting import free_port, gone, until

ROOT = Path(__file__).parent.parent
PROJECT = Path(__file__).parent / "project" / "langgraph.json"


class ServerProcess:
    """One server, which may be killed and started again on the same data and port."""

    def __init__(
        self,
        folder: Path,
        *flags: str,
        config: Path = PROJECT,
        data_dir: Path | None = None,
        environ: Mapping[str, str] | None = None,
        command: str = "serve",
    ) -> None:
        self.folder = folder
        self.data_dir = data_dir or folder / "data"
        self.log = folder / "server.log"
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.environ = dict(environ or {})
        self._command = [sys.executable, "-m", "robyn_server", command, "--config", str(config)]
        self._command += ["--port", str(self.port)] if command == "serve" else []
        self._command += ["--data-dir", str(self.data_dir), *flags]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> "ServerProcess":
        """Start it and wait until it answers."""
        self.launch()
        until(self.answers_or_ended, f"{self.url} does not answer:\n{self.output()}", seconds=60)
        assert self._running.poll() is None, f"it ended with {self._running.poll()}:\n{self.output()}"
        return self

    def launch(self) -> None:
        """Start it."""
        environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **self.environ}
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command, cwd=self.folder, env=environ, stdout=log, stderr=subprocess.STDOUT
            )

    @property
    def _running(self) -> "subprocess.Popen[bytes]":
        assert self._process is not None, "it was never started"
        return self._process

    @property
    def supervisor_pid(self) -> int:
        """The process that was started."""
        return self._running.pid

    @property
    def server_pid(self) -> int:
        """The process below the supervisor, which serves. Fails when there is none just now."""
        pid = self.supervisor_pid
        (child,) = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return int(child)

    def exit_code(self) -> int | None:
        """Of what was started; None while it lives."""
        return self._running.poll()

    def answers(self) -> bool:
        """Whether `/ok` answers 200."""
        try:
            return httpx.get(f"{self.url}/ok", timeout=2).status_code == 200
        except httpx.HTTPError:
            return False

    def answers_or_ended(self) -> bool:
        """Whether there is anything left to wait for."""
        return self._running.poll() is not None or self.answers()

    def kill_server(self) -> None:
        """kill -9 of the process that serves; its supervisor starts another."""
        pid = self.server_pid
        os.kill(pid, signal.SIGKILL)
        until(lambda: gone(pid), "the killed server is still there", 5)

    def kill_supervisor(self) -> None:
        """kill -9 of the supervisor, which takes the server along."""
        pid = self.server_pid
        self._running.kill()
        self._running.wait()
        until(lambda: gone(pid), "the server outlives its supervisor", 5)

    def is_back(self) -> None:
        """Wait until it answers again."""
        until(self.answers, f"it does not come back:\n{self.output()}", seconds=60)

    def terminate(self) -> None:
        """SIGTERM, as whoever stops a service sends it."""
        self._running.send_signal(signal.SIGTERM)

    def stop(self, within: float = 60.0) -> None:
        """Stop it with SIGTERM; it must end in good order."""
        self.terminate()
        self.has_ended(within)

    def has_ended(self, within: float = 60.0) -> None:
        """Wait for its end, which must be in good order."""
        code = self._running.wait(timeout=within)
        assert code == 0, f"it ended with {code}:\n{self.output()}"

    @contextmanager
    def running(self) -> Iterator["ServerProcess"]:
        """Started, stopped in good order afterwards, gone in any case."""
        try:
            yield self.start()
            self.stop()
        finally:
            self.end()

    def end(self) -> None:
        """Whatever it does, it is gone after this."""
        if self._process is not None and self._process.poll() is None:
            self.kill_supervisor_and_wait()

    def kill_supervisor_and_wait(self) -> None:
        """As `kill_supervisor`, also where it has no child just now."""
        self._running.kill()
        self._running.wait()

    def output(self, most: int = 20_000) -> str:
        """What it has said, the end of it."""
        return self.log.read_bytes()[-most:].decode("utf-8", "replace") if self.log.exists() else ""

    def sdk(self) -> LangGraphClient:
        """A client of the SDK. Close it with `aclose`, or use it in `async with`."""
        return get_client(url=self.url)

    def sync_sdk(self) -> SyncLangGraphClient:
        """The SDK's other client."""
        return get_sync_client(url=self.url)

    def http(self, timeout: float = 30.0) -> httpx.Client:
        """Plain HTTP."""
        return httpx.Client(base_url=self.url, timeout=timeout)
