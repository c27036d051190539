"""Connections to PostgreSQL as all of ours are, their pool, and what their trouble means to a caller."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeAlias

import psycopg
from psycopg import AsyncConnection, errors
from psycopg.abc import Buffer
from psycopg.adapt import Loader
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from robyn_server.errors import DomainError, InvalidRequest, StartupError, Unavailable

Connection: TypeAlias = AsyncConnection[tuple[Any, ...]]
Pool: TypeAlias = AsyncConnectionPool[Connection]

POOL_SECONDS = 10.0
"""How long to wait for a free connection."""

_DEFAULTS: dict[str, Any] = {
    "application_name": "robyn_server",
    "connect_timeout": 10,
    # A database that vanished without a word is noticed within a minute.
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
}
# A process that stands still inside a transaction must not hold its locks for ever.
_SESSION = "SET idle_in_transaction_session_timeout = '30s'"


class _JsonBytes(Loader):
    """JSON columns as bytes; `PostgresDialect` parses them, or passes them on as they are."""

    def load(self, data: Buffer) -> bytes:
        return bytes(data)


def conninfo(uri: str) -> str:
    """A connection string with our defaults. Raises `StartupError`."""
    scheme, colon, rest = uri.partition("://")
    # Other libraries name their driver in the scheme.
    plain = f"{scheme.partition('+')[0]}{colon}{rest}"
    try:
        return make_conninfo("", **{**_DEFAULTS, **conninfo_to_dict(plain)})
    except psycopg.ProgrammingError as error:
        raise StartupError(f"The address of the database cannot be read: {error}.") from error


async def prepare(connection: Connection) -> None:
    """Make a fresh connection as all of ours are."""
    connection.adapters.register_loader("json", _JsonBytes)
    await connection.execute(_SESSION)


async def connect(uri: str) -> Connection:
    """A connection of its own, beside the pool. Raises what psycopg raises."""
    connection: Connection = await AsyncConnection.connect(conninfo(uri), autocommit=True)
    await prepare(connection)
    return connection


async def open_pool(uri: str, size: int) -> Pool:
    """At most `size` connections, usable on the running loop. Raises `StartupError`."""
    pool: Pool = AsyncConnectionPool(
        conninfo(uri),
        kwargs={"autocommit": True},
        min_size=min(2, size),
        max_size=size,
        configure=prepare,
        timeout=POOL_SECONDS,
        open=False,
    )
    try:
        await pool.open(wait=True, timeout=POOL_SECONDS)
    except PoolTimeout as error:
        await pool.close()
        raise StartupError(
            f"The database {place_of(uri)} cannot be reached: check DATABASE_URI and the server."
        ) from error
    return pool


def place_of(uri: str) -> str:
    """Where a database is, without its password."""
    parts = conninfo_to_dict(conninfo(uri))
    port = f":{parts['port']}" if "port" in parts else ""
    return f"{parts.get('dbname', '')} at {parts.get('host', 'localhost')}{port}"


def as_domain_error(error: psycopg.Error) -> DomainError | None:
    """What a caller is told; None for an error that is our own mistake."""
    if isinstance(error, psycopg.DataError | errors.ProgramLimitExceeded):
        return InvalidRequest(f"The database does not take this: {_first_line(error)}.")
    if isinstance(error, PoolTimeout):
        return Unavailable("Every connection to the database is in use, or the database is away.")
    if isinstance(error, psycopg.OperationalError | psycopg.InterfaceError):
        return Unavailable(f"The database cannot be used: {_first_line(error)}.")
    return None


@contextmanager
def trouble_as_domain_error() -> Iterator[None]:
    """Around work on a database: its trouble is raised as `Unavailable` or `InvalidRequest`."""
    try:
        yield
    except psycopg.Error as error:
        raise as_domain_error(error) or error from error


def _first_line(error: psycopg.Error) -> str:
    return str(error).partition("\n")[0].rstrip(".")
