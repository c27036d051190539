"""The JavaScript SDK against the shared server: each file of tests/js, by node's own test runner."""

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.server_process import ServerProcess

JS = Path(__file__).parent.parent / "js"
FILES = sorted(JS.glob("*.test.js"))
INSTALLED = JS / "node_modules" / ".installed"
"""The digest of the lock file that was installed."""

LEFT_OUT = {"threads.patchState": "it sends PATCH to the state, which is a 405 on the reference, and here"}
"""Method -> why no test calls it."""


@pytest.fixture(scope="module")
def packages() -> None:
    """What package-lock.json names, from the npm registry, once for each content of the lock file."""
    if not (shutil.which("node") and shutil.which("npm")):
        message = "the JavaScript SDK is not tested: there is no node and npm (20 or newer) here"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    lock = hashlib.sha256((JS / "package-lock.json").read_bytes()).hexdigest()
    if INSTALLED.exists() and INSTALLED.read_text() == lock:
        return
    said = run(["npm", "ci", "--no-audit", "--no-fund"], dict(os.environ))
    assert said.returncode == 0, said.stdout
    INSTALLED.write_text(lock)


@pytest.fixture(scope="module")
def calls(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file where each run notes the methods it has called."""
    return tmp_path_factory.mktemp("js") / "calls"


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name.split(".")[0])
def test_javascript(file: Path, packages: None, server: ServerProcess, calls: Path) -> None:
    command = ["node", "--test", "--test-reporter=spec", str(file)]
    said = run(command, {**os.environ, "LANGGRAPH_URL": server.url, "SDK_CALLS": str(calls)})
    assert said.returncode == 0, said.stdout


def test_every_method_was_called(
    request: pytest.FixtureRequest, packages: None, server: ServerProcess, calls: Path
) -> None:
    chosen = [item for item in request.session.items if item.name.startswith("test_javascript[")]
    if len(chosen) < len(FILES):
        pytest.skip("says something only when all files of tests/js run with it")
    said = run(["node", "inventory.js"], {**os.environ, "LANGGRAPH_URL": server.url})
    assert said.returncode == 0, said.stdout
    missing = set(said.stdout.split("\n")) - set(calls.read_text().split("\n"))
    assert {line.rpartition(" ")[2] for line in missing} == LEFT_OUT.keys()


def run(command: list[str], environ: dict[str, str]) -> "subprocess.CompletedProcess[str]":
    """Run it in tests/js, with all that it says in `stdout`."""
    return subprocess.run(
        command,
        cwd=JS,
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
        check=False,
    )
