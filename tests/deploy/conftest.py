"""An installation of several nodes behind nginx."""

from collections.abc import Callable

import pytest

from tests.postgres_server import PostgresServer
from tests.redis_server import RedisServer
from tests.scale.conftest import Nodes, empty_installation
from tests.server_process import ServerProcess


@pytest.fixture
def nodes(
    server_factory: Callable[..., ServerProcess], postgres: PostgresServer, redis_server: RedisServer
) -> Nodes:
    """On an empty database and an empty Redis."""
    return Nodes(server_factory, empty_installation(postgres, redis_server, "deploy"))
