"""Several server processes on one PostgreSQL and one Redis."""

from collections.abc import Callable

import pytest
from redis import Redis

from tests.postgres_server import PostgresServer
from tests.redis_server import RedisServer
from tests.server_process import ServerProcess
from tests.waiting import until

ENVIRON = {"SECRET_KEY": "the same for all", "RUN_LEASE_SECONDS": "3", "RUN_HEARTBEAT_SECONDS": "0.5"}


class Nodes:
    """Starts nodes of one installation."""

    def __init__(self, make: Callable[..., ServerProcess], environ: dict[str, str]) -> None:
        self._make = make
        self.environ = environ

    def unstarted(self, command: str, *flags: str) -> ServerProcess:
        """A node that is not started yet."""
        return self._make(*flags, environ=self.environ, command=command)

    def api(self, *flags: str) -> ServerProcess:
        """A node that serves; `--no-worker` leaves the runs to others."""
        return self._make(*flags, environ=self.environ).start()

    def worker(self, *flags: str) -> ServerProcess:
        """A node that executes runs."""
        node = self._make(*flags, environ=self.environ, command="worker")
        node.launch()
        until(lambda: "Ready to execute runs" in node.output(), "the worker is not ready", 60)
        return node


@pytest.fixture
def nodes(
    server_factory: Callable[..., ServerProcess], postgres: PostgresServer, redis_server: RedisServer
) -> Nodes:
    """On an empty database and an empty Redis."""
    with Redis.from_url(redis_server.uri) as redis:
        redis.flushall()
    uris = {"DATABASE_URI": postgres.database("scale"), "REDIS_URI": redis_server.uri}
    return Nodes(server_factory, {**ENVIRON, **uris})
