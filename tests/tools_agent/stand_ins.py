"""Starting the stand-ins, and speaking to them."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx

Start = Callable[..., str]


def ask(method: str, url: str, **more: Any) -> Any:
    """The JSON that a stand-in answers, or None."""
    response = httpx.request(method, url, **more)
    return response.json() if response.is_success else None


@contextmanager
def programs() -> Iterator[Start]:
    """Starts Python programs that print their address as the last word of their first line; ends them afterwards."""
    processes: list[subprocess.Popen[str]] = []

    def start(*command: str) -> str:
        process = subprocess.Popen([sys.executable, *command], stdout=subprocess.PIPE, text=True)
        processes.append(process)
        assert process.stdout is not None
        return process.stdout.readline().split()[-1]

    try:
        yield start
    finally:
        for process in processes:
            process.kill()
            process.wait()
            assert process.stdout is not None
            process.stdout.close()
