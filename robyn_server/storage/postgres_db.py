"""PostgreSQL as a `Db`: transitions as transactions on a pool of connections."""

import asyncio
import random
import threading
import time
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from contextvars import copy_context
from dataclasses import dataclass, field
from functools import lru_cache, partial
from typing import Any, Generic, TypeAlias, TypeVar

import psycopg
from psycopg import AsyncConnection, errors
from psycopg.abc import Buffer
from psycopg.adapt import Loader
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg_pool import AsyncConnectionPool, PoolClosed, PoolTimeout

from robyn_server.errors import DomainError, InvalidRequest, StartupError, Unavailable
from robyn_server.storage.checkpoints.sync_loop import SyncLoop
from robyn_server.storage.db import Row, Start, Statement, TakenElsewhere, Transition
from robyn_server.storage.dialect import Dialect
from robyn_server.storage.dialect_postgres import PostgresDialect

T = TypeVar("T")

Connection: TypeAlias = AsyncConnection[tuple[Any, ...]]
Pool: TypeAlias = AsyncConnectionPool[Connection]

MOST_ATTEMPTS = 10
"""Of a transaction that others get in the way of."""
PATIENCE = 5.0
"""Seconds in which a transaction is tried again on other connections when one turns out to be broken."""
POOL_SECONDS = 10.0
"""How long to wait for a free connection."""

STEPS_AT_ONCE = 8
"""Transitions that may wait for a project's encryption handlers at the same time."""

READ = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
WRITE = "BEGIN"
GLANCE = ""
"""A single statement is a transaction by itself."""

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


@dataclass(slots=True)
class _Abroad:
    """The connection of another event loop, for one transaction at a time."""

    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    connection: Connection | None = None


class PostgresDb:
    """See `ThreadedDb`. May be used from several event loops: the one that opened the pool uses it, any other (the
    heartbeat's, and the one for threads without a loop) has a connection of its own.

    A write goes on to its end when whoever waits for it is cancelled. When the connection breaks during the very
    commit, nobody knows whether it was kept: that is `Unavailable` too.
    """

    alone = False
    """See `Db`."""

    def __init__(
        self, pool: Pool, uri: str, dialect: PostgresDialect | None = None, schema: str | None = None
    ) -> None:
        """All tables are found in `schema`; None: where the database looks for them."""
        self.dialect: Dialect = dialect or PostgresDialect()
        self._pool = pool
        self._uri = uri
        self._schema = schema
        self._home = asyncio.get_running_loop()
        self._writes: set[asyncio.Task[Any]] = set()
        self._abroad: dict[asyncio.AbstractEventLoop, _Abroad] = {}
        self._lock = threading.Lock()
        self._sync: SyncLoop | None = None
        # What a transition does between its statements may wait for a key, which an event loop must not.
        self._steps = (
            ThreadPoolExecutor(STEPS_AT_ONCE, thread_name_prefix="postgres-steps")
            if self.dialect.cipher.may_wait
            else None
        )

    async def read(self, start: Start[T]) -> T:
        """See `Db`."""
        return await self._run(start, READ)

    async def glance(self, start: Start[T]) -> T:
        """See `Db`."""
        return await self._run(start, GLANCE)

    async def write(self, start: Start[T]) -> T:
        """See `Db`."""
        if asyncio.get_running_loop() is not self._home:
            return await self._run(start, WRITE)
        task = asyncio.create_task(self._run(start, WRITE))
        self._writes.add(task)
        task.add_done_callback(self._writes.discard)
        return await asyncio.shield(task)

    def read_sync(self, start: Start[T]) -> T:
        """See `ThreadedDb`."""
        return self._sync_loop().run(self._run(start, READ))

    def write_sync(self, start: Start[T]) -> T:
        """See `ThreadedDb`."""
        return self._sync_loop().run(self._run(start, WRITE))

    async def close(self) -> None:
        """See `ThreadedDb`. The pool is closed with it."""
        await self.settle()
        await self._pool.close()

    async def settle(self) -> None:
        """`close` for one of several on the same pool."""
        if self._writes:
            await asyncio.wait(self._writes)
        if self._sync is not None:
            await asyncio.to_thread(self._sync.close)
        for abroad in self._abroad.values():
            if abroad.connection is not None:
                # Not `close`, which belongs to that loop. Nothing goes on there any more.
                abroad.connection.pgconn.finish()
        if self._steps is not None:
            self._steps.shutdown(wait=False)

    def _sync_loop(self) -> SyncLoop:
        with self._lock:
            if self._sync is None:
                self._sync = SyncLoop("postgres-sync")
            return self._sync

    async def _run(self, start: Start[T], begin: str) -> T:
        if self._schema is not None:
            begin = begin_in(self._schema, begin or READ)
        give_up_at = time.monotonic() + PATIENCE
        attempt = 1
        while True:
            try:
                async with self._connected() as connection:
                    return await transact(connection, start, begin, self._steps)
            except psycopg.Error as error:
                again = _is_contention(error) and attempt < MOST_ATTEMPTS
                again = again or (isinstance(error, _Broken) and time.monotonic() < give_up_at)
                if not again:
                    raise as_domain_error(error) or error from error
            except TakenElsewhere:
                if time.monotonic() > give_up_at:
                    raise
            except PoolClosed as error:
                raise Unavailable("The database is closed.") from error
            await asyncio.sleep(random.random() * min(0.01 * attempt, 0.1))
            attempt += 1

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[Connection]:
        if asyncio.get_running_loop() is self._home:
            async with self._pool.connection() as connection:
                yield connection
            return
        abroad = self._abroad.setdefault(asyncio.get_running_loop(), _Abroad())
        async with abroad.turn:
            if abroad.connection is None or abroad.connection.closed:
                abroad.connection = await connect(self._uri)
            yield abroad.connection


class _Broken(psycopg.OperationalError):
    """The connection broke before the commit: nothing was kept."""


def _is_contention(error: psycopg.Error) -> bool:
    if isinstance(error, errors.UniqueViolation):
        # Two claims at the same moment; of the same id there is always ON CONFLICT.
        return error.diag.constraint_name == "run_active"
    return isinstance(error, errors.SerializationFailure | errors.DeadlockDetected)


def begin_in(schema: str, begin: str) -> str:
    """`begin`, of a transaction that finds its tables in a schema."""
    return f"{begin}; SET LOCAL search_path TO {schema}"


async def transact(connection: Connection, start: Start[T], begin: str, steps: Executor | None = None) -> T:
    """Run a transition as one transaction of this connection. `steps`: where its steps may wait."""
    try:
        if begin:
            # What may be two statements cannot be prepared.
            await connection.execute(begin.encode(), prepare=False)
        result = await _follow(connection, start, steps)
    except BaseException as error:
        if not connection.broken:
            await connection.rollback()
        elif isinstance(error, psycopg.OperationalError):
            raise _Broken(str(error)) from error
        raise
    await connection.commit()
    return result


async def _follow(connection: Connection, start: Start[T], steps: Executor | None) -> T:
    transition = start()
    rows: list[Row] | None = None
    while True:
        step = partial(_step, transition, rows)
        if steps is None:
            asked = step()
        else:
            in_context = partial(copy_context().run, step)
            asked = await asyncio.get_running_loop().run_in_executor(steps, in_context)
        if isinstance(asked, _Result):
            return asked.value
        cursor = await connection.execute(translated(asked[0]), asked[1])
        rows = await cursor.fetchall() if cursor.description else []


@dataclass(frozen=True, slots=True)
class _Result(Generic[T]):
    value: T


def _step(transition: Transition[T], rows: list[Row] | None) -> Statement | _Result[T]:
    try:
        # None begins a generator.
        return transition.send(rows)  # type: ignore[arg-type]
    except StopIteration as stop:
        return _Result(stop.value)


@lru_cache(maxsize=1024)
def translated(sql: str) -> bytes:
    """A statement with the driver's placeholders."""
    return sql.replace("?", "%s").encode()


def _first_line(error: psycopg.Error) -> str:
    return str(error).partition("\n")[0].rstrip(".")
