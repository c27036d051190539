"""Several server processes on one PostgreSQL and one Redis."""

from collections.abc import Callable, Iterator

import pytest
from redis import Redis

from tests.postgres_server import PostgresServer
from tests.redis_server import RedisServer
from tests.server_process import ServerProcess
from tests.waiting import until

ENVIRON = {"SECRET_KEY": "the same for all", "RUN_LEASE_SECONDS": "3", "RUN_HEARTBEAT_SECONDS": "0.5"}


class Nodes:
    """Starts nodes of one installation; `more` adds to the environment of one."""

    def __init__(self, make: Callable[..., ServerProcess], environ: dict[str, str]) -> None:
        self._make = make
        self.environ = environ

    def unstarted(self, command: str, *flags: str) -> ServerProcess:
        """A node that is not started yet."""
        return self._make(*flags, environ=self.environ, command=command)

    def api(self, *flags: str, **more: str) -> ServerProcess:
        """A node that serves; `--no-worker` leaves the runs to others."""
        return self._make(*flags, environ={**self.environ, **more}).start()

    def worker(self, *flags: str, **more: str) -> ServerProcess:
        """A node that executes runs."""
        (node,) = self.workers(1, *flags, **more)
        return node

    def workers(self, count: int, *flags: str, **more: str) -> list[ServerProcess]:
        """The same, several at once."""
        made = [self._make(*flags, environ={**self.environ, **more}, command="worker") for _ in range(count)]
        for node in made:
            node.launch()
        for node in made:
            until(lambda node=node: is_ready(node), "the worker is not ready", 60)  # type: ignore[misc]
        return made


def is_ready(worker: ServerProcess, times: int = 1) -> bool:
    """Whether it has said so as often as it was started."""
    return worker.output(1 << 20).count("Ready to execute runs") >= times


def nodes_on(make: Callable[..., ServerProcess], database: str, redis: RedisServer) -> Nodes:
    """On a database and an emptied Redis."""
    with Redis.from_url(redis.uri) as client:
        client.flushall()
    return Nodes(make, {**ENVIRON, "DATABASE_URI": database, "REDIS_URI": redis.uri})


@pytest.fixture
def nodes(
    server_factory: Callable[..., ServerProcess], postgres: PostgresServer, redis_server: RedisServer
) -> Nodes:
    """On an empty database and an empty Redis."""
    return nodes_on(server_factory, postgres.database("scale"), redis_server)


@pytest.fixture
def own_postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL that the test may stop."""
    server = PostgresServer({"synchronous_commit": "on"})
    try:
        yield server.start()
    finally:
        server.end()


@pytest.fixture
def own_redis() -> Iterator[RedisServer]:
    """A Redis that the test may kill."""
    server = RedisServer()
    try:
        yield server.start()
    finally:
        server.end()
