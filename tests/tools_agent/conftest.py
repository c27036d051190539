"""The stand-ins as processes, and an environment without keys."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

FAKES = Path(__file__).parent.parent / "fakes"
SETTINGS = (
    "OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GOOGLE_API_KEY", "CUSTOM_API_KEY", "OPENAI_BASE_URL", "OPENAI_API_BASE",
    "MODEL_NAME", "DEMO_MODEL", "OUTBOUND_ALLOW", "TOKEN_FORWARD_HOSTS", "MCP_SERVER_URL", "RAG_API_URL",
)  # fmt: skip

Start = Callable[..., str]


@pytest.fixture(autouse=True)
def no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the developer has in his own environment is of no account."""
    for name in SETTINGS:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts a program that prints its address as the last word of its first line."""
    processes: list[subprocess.Popen[str]] = []

    def begin(*command: str) -> str:
        process = subprocess.Popen([sys.executable, *command], stdout=subprocess.PIPE, text=True)
        processes.append(process)
        assert process.stdout is not None
        return process.stdout.readline().split()[-1]

    yield begin
    for process in processes:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


@pytest.fixture
def start_llm(start: Start) -> Start:
    return lambda *options: start("-m", "robyn_server.testing.fake_llm", "--port", "0", *options)


@pytest.fixture
def start_mcp(start: Start) -> Start:
    return lambda *options: start(str(FAKES / "mcp_server.py"), *options)


@pytest.fixture
def start_rag(start: Start) -> Start:
    return lambda: start(str(FAKES / "rag_server.py"))
