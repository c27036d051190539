"""The import contracts of pyproject.toml: who may import whom."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent


def test_the_import_contracts_hold() -> None:
    program = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True))"
    linted = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    assert linted.returncode == 0, linted.stdout + linted.stderr


def test_the_supervisor_needs_the_standard_library_only() -> None:
    """It stays small, and nothing that breaks the server can break it."""
    program = "import sys; import robyn_server.cli; print(*sorted(sys.modules))"
    said = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    loaded = set(said.stdout.split())
    assert {name for name in loaded if name.startswith("robyn_server.")} == {
        "robyn_server.cli",
        "robyn_server.errors",
        "robyn_server.file_watch",
        "robyn_server.supervisor",
    }
    assert not loaded & {"orjson", "robyn", "langgraph", "pydantic", "dotenv", "asyncio", "logging"}
