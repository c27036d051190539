"""The stand-ins as processes, and an environment without keys."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.tools_agent.stand_ins import Start, ask, programs

FAKES = Path(__file__).parent.parent / "fakes"
LLM = ("-m", "robyn_server.testing.fake_llm", "--port", "0")
MCP = (str(FAKES / "mcp_server.py"),)
SETTINGS = (
    "OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GOOGLE_API_KEY", "CUSTOM_API_KEY", "OPENAI_BASE_URL", "OPENAI_API_BASE",
    "ANTHROPIC_BASE_URL", "ANTHROPIC_API_URL", "MODEL_NAME", "DEMO_MODEL", "OUTBOUND_ALLOW",
    "TOKEN_FORWARD_HOSTS", "MCP_SERVER_URL", "RAG_API_URL",
)  # fmt: skip


@pytest.fixture(autouse=True)
def no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the developer has in his own environment is of no account."""
    for name in SETTINGS:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(autouse=True)
async def no_open_connections() -> AsyncIterator[None]:
    """Model clients and MCP sessions keep their connections for a while; here each test has a loop of its own."""
    yield
    sessions = [task for task in asyncio.all_tasks() if task.get_name() == "mcp session"]
    for session in sessions:
        session.cancel()
    await asyncio.gather(*sessions, return_exceptions=True)
    for transport in list(asyncio.get_running_loop()._transports.values()):  # type: ignore[attr-defined]
        transport.abort()
    await asyncio.sleep(0)


@pytest.fixture
def start() -> Iterator[Start]:
    with programs() as begin:
        yield begin


@pytest.fixture(scope="session")
def start_shared() -> Iterator[Start]:
    """For stand-ins whose state no test changes: one process serves all."""
    with programs() as begin:
        yield begin


@pytest.fixture
def start_llm(start: Start) -> Start:
    return lambda *options: start(*LLM, *options)


@pytest.fixture
def start_mcp(start: Start) -> Start:
    return lambda *options: start(*MCP, *options)


@pytest.fixture
def start_rag(start: Start) -> Start:
    return lambda *more: start("-m", "tests.fakes.rag_server", *more)


@pytest.fixture(scope="session")
def shared_llm(start_shared: Start) -> str:
    return start_shared(*LLM)


@pytest.fixture
def llm_url(shared_llm: str) -> str:
    """A model server with the built-in rules that remembers no requests yet."""
    ask("DELETE", shared_llm.removesuffix("/v1") + "/requests")
    return shared_llm


@pytest.fixture(scope="session")
def mcp_url(start_shared: Start) -> str:
    return start_shared(*MCP)


@pytest.fixture(scope="session")
def guarded_mcp_url(start_shared: Start) -> str:
    return start_shared(*MCP, "--token", "of-the-server")
