"""PostgreSQL, Redis and nodes of ours on this machine, each a process of its own, for what is measured across them."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.postgres_server import PostgresServer
from tests.redis_server import RedisServer
from tests.server_process import ServerProcess
from tests.waiting import until

CONFIG = Path(__file__).parent / "langgraph.json"
LIKE_PRODUCTION = {
    "fsync": "on",
    "full_page_writes": "on",
    "synchronous_commit": "on",
    "shared_preload_libraries": "pg_stat_statements",
}
"""The servers of the tests spare themselves what keeps data safe; measuring wants it."""


@dataclass(frozen=True, slots=True)
class Services:
    """What all nodes share."""

    postgres: PostgresServer
    redis: RedisServer


@dataclass(frozen=True, slots=True)
class Installation:
    """One server that leaves the runs to the workers."""

    services: Services
    database: str
    api: ServerProcess
    workers: list[ServerProcess]


@contextmanager
def services() -> Iterator[Services]:
    """Both, until the end."""
    postgres, redis = PostgresServer(LIKE_PRODUCTION), RedisServer()
    try:
        yield Services(postgres.start(), redis.start())
    finally:
        postgres.end()
        redis.end()


@contextmanager
def installation(of: Services, name: str, workers: int, slots: int) -> Iterator[Installation]:
    """On an empty database called `name`; ready to take runs."""
    environ = {
        "DATABASE_URI": of.postgres.database(name),
        "REDIS_URI": of.redis.uri,
        "SECRET_KEY": "the same for all",
        "SHUTDOWN_DELAY_SECONDS": "0",
        "LOG_LEVEL": "INFO",
    }
    with ExitStack() as opened:

        def node(command: str, *flags: str) -> ServerProcess:
            folder = Path(opened.enter_context(tempfile.TemporaryDirectory()))
            made = ServerProcess(folder, *flags, config=CONFIG, environ=environ, command=command)
            opened.callback(made.end)
            return made

        api = node("serve", "--no-worker", "--log-level", "WARNING").start()
        working = [node("worker", "--slots", str(slots)) for _ in range(workers)]
        for one in working:
            one.launch()
        for one in working:
            until(lambda one=one: "Ready to execute runs" in one.output(), "a worker is not ready", 60)
        yield Installation(of, name, api, working)


def cpu(nodes: list[ServerProcess]) -> float:
    """Seconds of CPU that these nodes have used, threads that have ended included (Linux; to a hundredth)."""
    ticks = 0
    for one in nodes:
        fields = Path(f"/proc/{one.server_pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")
