"""An installation of several nodes behind nginx."""

from collections.abc import Callable

import pytest
from redis import Redis

from tests.postgres_server import PostgresServer
from tests.redis_server import RedisServer
from tests.scale.conftest import ENVIRON, Nodes
from tests.server_process import ServerProcess


@pytest.fixture
def nodes(
    server_factory: Callable[..., ServerProcess], postgres: PostgresServer, redis_server: RedisServer
) -> Nodes:
    """On an empty database and an empty Redis."""
    with Redis.from_url(redis_server.uri) as redis:
        redis.flushall()
    uris = {"DATABASE_URI": postgres.database("deploy"), "REDIS_URI": redis_server.uri}
    return Nodes(server_factory, {**ENVIRON, **uris})
