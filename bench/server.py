"""The server that is measured: started from a folder with the code of some revision, and its CPU time."""

import os
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from types import TracebackType

HERE = Path(__file__).parent
START_SECONDS = 60.0
NANOSECONDS = 1e9


class MeasuredServer:
    """`python -m robyn_server serve` with the code in `code`; `data` is an empty folder for its files."""

    def __init__(self, code: Path, data: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port: int = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._log = data / "log"
        command = [sys.executable, "-m", "robyn_server", "serve", "--config", str(HERE / "langgraph.json")]
        began = time.perf_counter()
        with self._log.open("wb") as log:
            self._supervisor = subprocess.Popen(
                [*command, "--port", str(self.port), "--data-dir", str(data / "files")],
                cwd=code, env={**os.environ, "PYTHONPATH": str(code)}, stdout=log, stderr=subprocess.STDOUT,
            )  # fmt: skip
        self._wait()
        self.started_in = time.perf_counter() - began
        """Seconds until `/ok` answered."""

    def __enter__(self) -> "MeasuredServer":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._supervisor.terminate()
        self._supervisor.wait(60)

    def _wait(self) -> None:
        until = time.monotonic() + START_SECONDS
        while time.monotonic() < until and self._supervisor.poll() is None:
            try:
                urllib.request.urlopen(f"{self.url}/ok", timeout=1).close()
            except OSError:
                time.sleep(0.02)
            else:
                return
        self._supervisor.kill()
        raise SystemExit(f"The server does not answer:\n{self._log.read_text()[-2000:]}")

    @property
    def _pid(self) -> str:
        supervisor = self._supervisor.pid
        return Path(f"/proc/{supervisor}/task/{supervisor}/children").read_text().split()[0]

    def cpu(self) -> float:
        """Seconds of CPU that the threads of the server process have used, to the microsecond (Linux)."""
        used = 0.0
        for thread in Path(f"/proc/{self._pid}/task").iterdir():
            try:
                used += int((thread / "schedstat").read_text().split()[0])
            except OSError:
                continue
        return used / NANOSECONDS

    def memory(self) -> float:
        """Resident megabytes."""
        status = Path(f"/proc/{self._pid}/status").read_text()
        (line,) = (line for line in status.splitlines() if line.startswith("VmRSS"))
        return int(line.split()[1]) / 1024
