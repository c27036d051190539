"""PostgreSQL as a `Db`: transitions as transactions on a pool of connections."""

import asyncio
import random
import threading
import time
from collections.abc import AsyncIterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import asynccontextmanager
from contextvars import copy_context
from dataclasses import dataclass, field
from functools import lru_cache, partial
from typing import Any, Generic, TypeVar

import psycopg
from psycopg import errors
from psycopg_pool import PoolClosed

from robyn_server.errors import Unavailable
from robyn_server.storage.checkpoints.sync_loop import SyncLoop
from robyn_server.storage.db import Row, Start, Statement, TakenElsewhere, Transition
from robyn_server.storage.dialect import Dialect
from robyn_server.storage.dialect_postgres import PostgresDialect
from robyn_server.storage.postgres_connection import Connection, Pool, as_domain_error, connect

T = TypeVar("T")

MOST_ATTEMPTS = 10
"""Of a transaction that others get in the way of."""
PATIENCE = 5.0
"""Seconds in which a transaction is tried again on other connections when one turns out to be broken."""

STEPS_AT_ONCE = 8
"""Transitions that may wait for a project's encryption handlers at the same time."""

READ = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
WRITE = "BEGIN"
GLANCE = ""
"""A single statement is a transaction by itself."""


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
