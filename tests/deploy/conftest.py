"""An installation of several nodes behind nginx."""

from collections.abc import Callable

import pytest

from tests.postgres_server import PostgresServer
from tests.redis_server import RedisServer
from tests.scale.conftest import Nodes, nodes_on
from tests.server_process import ServerProcess


@pytest.fixture
def nodes(
    server_factory: Callable[..., ServerProcess], postgres: PostgresServer, redis_server: RedisServer
) -> Nodes:
    """On an empty database and an empty Redis."""
    return nodes_on(server_factory, postgres.database("deploy"), redis_server)
