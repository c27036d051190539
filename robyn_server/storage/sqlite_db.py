"""SQLite as a `Db`: one writer thread with group commit, a few reader threads, WAL."""

import asyncio
import concurrent.futures
import queue
import sqlite3
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import Context, copy_context
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

from robyn_server.errors import Unavailable
from robyn_server.storage.db import Start
from robyn_server.storage.dialect import Dialect, SqliteDialect
from robyn_server.storage.encryption.cipher import CLEAR, Cipher
from robyn_server.storage.sqlite_connection import (
    Connection,
    as_unavailable,
    connect,
    is_in_use,
    run_transition,
    trouble_as_unavailable,
)

T = TypeVar("T")

MOST_PER_COMMIT = 256
READERS = 2

GLANCE = 20_000
"""Steps of SQLite's machine, some 30 ns each, after which a glance may be given up; at twice as many it is."""


@dataclass(frozen=True, slots=True)
class _Job:
    start: Start[Any]
    future: asyncio.Future[Any] | concurrent.futures.Future[Any]
    context: Context
    """Of whoever handed it over: it says whose data are sealed."""
    loop: asyncio.AbstractEventLoop | None
    """Where the future lives; None for one that a thread waits for."""


@dataclass(frozen=True, slots=True)
class _Outcome:
    job: _Job
    result: Any = None
    error: BaseException | None = None


class SqliteDb:
    """One database file. May be used from several event loops (the heartbeat has its own)."""

    def __init__(
        self,
        path: Path,
        *,
        synchronous: Literal["NORMAL", "FULL"] = "NORMAL",
        cipher: Cipher = CLEAR,
        alone: bool = True,
    ) -> None:
        self.alone = alone
        self.dialect: Dialect = SqliteDialect(cipher)
        self._path = path
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._closed = False
        self._lock = threading.Lock()
        self._connection = connect(path, synchronous=synchronous)
        self._writer = threading.Thread(target=self._write_loop, name="sqlite-writer", daemon=True)
        self._writer.start()
        self._local = threading.local()
        self._reading: list[Connection] = []
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="sqlite-reader")

    async def read(self, start: Start[T]) -> T:
        """See `Db`."""
        if self._closed:
            raise Unavailable("The database is closed.")
        return await asyncio.get_running_loop().run_in_executor(self._readers, self._read, start)

    async def glance(self, start: Start[T]) -> T:
        """See `Db`. A row found by its key takes some 15 us, asking a reader thread for it 100. What turns out to be
        long is begun anew by a reader thread."""
        if self._closed:
            raise Unavailable("The database is closed.")
        if self.dialect.cipher.may_wait:
            return await self.read(start)
        connection: Connection | None = getattr(self._local, "glancing", None)
        if connection is None:
            connection = self._local.glancing = self._open_glancing()
        connection.calls = 0
        try:
            return run_transition(connection, start)
        except sqlite3.OperationalError:
            return await self.read(start)

    async def write(self, start: Start[T]) -> T:
        """See `Db`."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        self._hand_over(_Job(start, future, copy_context(), loop))
        return await future

    def read_sync(self, start: Start[T]) -> T:
        """`read` for threads without an event loop."""
        if self._closed:
            raise Unavailable("The database is closed.")
        return self._readers.submit(self._read, start).result()

    def write_sync(self, start: Start[T]) -> T:
        """`write` for threads without an event loop."""
        future: concurrent.futures.Future[T] = concurrent.futures.Future()
        self._hand_over(_Job(start, future, copy_context(), None))
        return future.result()

    async def close(self) -> None:
        """Wait for the writes handed over so far, then close. Further calls raise `Unavailable`."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            self._jobs.put(None)
        await asyncio.to_thread(self._writer.join)
        await asyncio.to_thread(self._readers.shutdown)
        for connection in self._reading:
            connection.close()

    def _hand_over(self, job: _Job) -> None:
        with self._lock:
            if self._closed:
                raise Unavailable("The database is closed.")
            self._jobs.put(job)

    def _read(self, start: Start[T]) -> T:
        connection: Connection | None = getattr(self._local, "connection", None)
        with trouble_as_unavailable():
            if connection is None:
                connection = self._local.connection = self._open_reader()
            connection.execute("BEGIN")
            try:
                return run_transition(connection, start)
            finally:
                connection.execute("ROLLBACK")

    def _open_reader(self) -> Connection:
        connection = connect(self._path)
        connection.execute("PRAGMA query_only = ON")
        self._reading.append(connection)
        return connection

    def _open_glancing(self) -> Connection:
        """Whoever glances does not wait, least of all an event loop: neither for a lock nor for a long search."""
        connection = self._open_reader()
        connection.execute("PRAGMA busy_timeout = 0")
        connection.set_progress_handler(connection.is_long, GLANCE)
        return connection

    def _write_loop(self) -> None:
        more = True
        while more:
            batch, more = self._next_batch()
            if batch:
                _resolve(self._commit_or_split(batch))
        self._connection.close()

    def _next_batch(self) -> tuple[list[_Job], bool]:
        job = self._jobs.get()
        batch: list[_Job] = []
        while job is not None:
            batch.append(job)
            if len(batch) == MOST_PER_COMMIT:
                return batch, True
            try:
                job = self._jobs.get_nowait()
            except queue.Empty:
                return batch, True
        return batch, False

    def _commit_or_split(self, batch: Sequence[_Job]) -> list[_Outcome]:
        """One commit for all; when the database is in trouble, one for each, so that what still fits is
        kept."""
        try:
            return self._commit(batch)
        except sqlite3.Error as error:
            self._roll_back()
            if len(batch) > 1 and not is_in_use(error):
                return [outcome for job in batch for outcome in self._commit_or_split([job])]
            return [_Outcome(job, error=as_unavailable(error) or error) for job in batch]

    def _commit(self, batch: Sequence[_Job]) -> list[_Outcome]:
        """Without savepoints, which cost as much as a short transition: when one of them fails, which is rare, all
        are run again, apart."""
        connection = self._connection
        connection.execute("BEGIN IMMEDIATE")
        try:
            outcomes = [_Outcome(job, self._run(job)) for job in batch]
        except BaseException as error:
            if as_unavailable(error) or not connection.in_transaction:
                raise
            connection.execute("ROLLBACK")
            if len(batch) == 1:
                return [_Outcome(batch[0], error=error)]
            connection.execute("BEGIN IMMEDIATE")
            outcomes = [self._attempt(job) for job in batch]
        connection.execute("COMMIT")
        return outcomes

    def _run(self, job: _Job) -> Any:
        return job.context.run(run_transition, self._connection, job.start)

    def _attempt(self, job: _Job) -> _Outcome:
        """One transition in a savepoint. Raises sqlite3.Error when the whole transaction is to be given
        up."""
        connection = self._connection
        connection.execute("SAVEPOINT job")
        try:
            outcome = _Outcome(job, self._run(job))
        except BaseException as error:
            if as_unavailable(error) or not connection.in_transaction:
                raise
            connection.execute("ROLLBACK TO job")
            outcome = _Outcome(job, error=error)
        connection.execute("RELEASE job")
        return outcome

    def _roll_back(self) -> None:
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")


def _resolve(outcomes: Sequence[_Outcome]) -> None:
    by_loop: dict[asyncio.AbstractEventLoop | None, list[_Outcome]] = {}
    for outcome in outcomes:
        by_loop.setdefault(outcome.job.loop, []).append(outcome)
    for loop, mine in by_loop.items():
        if loop is None:
            _tell(mine)
            continue
        try:
            loop.call_soon_threadsafe(_tell, mine)
        except RuntimeError:
            # That loop is closed: nobody is left to be told.
            continue


def _tell(outcomes: Sequence[_Outcome]) -> None:
    for outcome in outcomes:
        future = outcome.job.future
        if future.done():
            continue
        if outcome.error is not None:
            future.set_exception(outcome.error)
        else:
            future.set_result(outcome.result)
