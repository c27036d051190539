"""Servers for tests: one for the whole session, and one of its own for a test that kills or fills it."""

from collections.abc import AsyncIterator, Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
from langgraph_sdk.client import LangGraphClient
from xdist.scheduler import LoadFileScheduling

from tests.postgres_server import PostgresServer
from tests.redis_server import RedisServer
from tests.server_process import ServerProcess

SHOWN = pytest.StashKey[list[ServerProcess]]()
LONGEST = ("tests/scale", "tests/joined", "tests/deploy", "tests/crash")
TOGETHER = ("tests/http/test_sdk_",)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--postgres", action="store_true", help="the shared server works on PostgreSQL and Redis"
    )
    parser.addoption("--joined", action="store_true", help="the shared server has a worker process")
    parser.addoption("--rounds", type=int, default=10, help="how often a scene marked soak is repeated")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes longest comes first, so that processes which share the tests end together."""
    items.sort(key=lambda item: not item.nodeid.startswith(LONGEST))


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadFileScheduling:
    """A file stays in one process, for its tests may share a server; what `TOGETHER` names too."""
    return Together(config, log)


class Together(LoadFileScheduling):
    """Files by their names up to `TOGETHER`."""

    def _split_scope(self, nodeid: str) -> str:
        return next((names for names in TOGETHER if nodeid.startswith(names)), super()._split_scope(nodeid))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A failed test shows what its servers have said."""
    report = yield
    if report.failed:
        for server in servers_of(item):
            report.sections.append((f"server on port {server.port}", server.output()))
    return report


def servers_of(item: pytest.Item) -> list[ServerProcess]:
    """The servers that a test has used."""
    used = getattr(item, "funcargs", {})
    session = [used["server"]] if isinstance(used.get("server"), ServerProcess) else []
    return [*session, *item.stash.get(SHOWN, [])]


@pytest.fixture(scope="session")
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ServerProcess]:
    """A server on tests/project that all tests share: leave it running and its assistants alone."""
    environ = {"SHUTDOWN_GRACE_SECONDS": "2"}
    if request.config.getoption("--postgres"):
        postgres: PostgresServer = request.getfixturevalue("postgres")
        environ["DATABASE_URI"] = postgres.database("server")
        redis: RedisServer = request.getfixturevalue("redis_server")
        environ["REDIS_URI"] = redis.uri
    flags = ["--worker-processes", "1"] if request.config.getoption("--joined") else []
    serving = ServerProcess(tmp_path_factory.mktemp("server"), *flags, environ=environ)
    with serving.running():
        yield serving


@pytest.fixture
async def client(server: ServerProcess) -> AsyncIterator[LangGraphClient]:
    """The SDK, talking to the shared server."""
    async with server.sdk() as sdk:
        yield sdk


@pytest.fixture
def server_factory(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[..., ServerProcess]]:
    """Makes servers that a test has for itself: arguments as `ServerProcess` but for the folder. Not started."""
    made: list[ServerProcess] = []
    request.node.stash[SHOWN] = made

    def make(*flags: str, **given: object) -> ServerProcess:
        folder = tmp_path / f"server{len(made)}"
        folder.mkdir()
        made.append(ServerProcess(folder, *flags, **given))
        return made[-1]

    yield make
    for serving in made:
        serving.end()


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL server that all tests share; each takes a database of its own or cleans up."""
    server = PostgresServer()
    try:
        yield server.start()
    finally:
        server.end()


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    """A Redis server that all tests share; each empties it."""
    server = RedisServer()
    try:
        yield server.start()
    finally:
        server.end()


@pytest.fixture
def rounds(request: pytest.FixtureRequest) -> int:
    """How often a scene marked soak is repeated."""
    return int(request.config.getoption("--rounds"))
