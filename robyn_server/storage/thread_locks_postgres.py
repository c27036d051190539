"""Thread locks that all servers on one database respect: advisory locks, which end with the connection that took them.

They stand on one connection beside the pool: who holds a lock needs the pool, and must not wait for those who wait for
the lock.
"""

import asyncio
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psycopg

from robyn_server.errors import Unavailable
from robyn_server.storage.postgres_connection import Connection, connect, trouble_as_domain_error
from robyn_server.storage.thread_locks import ThreadLocks

PATIENCE = 30.0
"""Seconds to wait for another server."""
LOOK_AGAIN = 0.02
NAME = "hashtextextended('robyn_server:' || %s, 0)"
"""The lock of a thread; the same as in `PostgresDialect.enter`."""


class PostgresThreadLocks:
    """See `interfaces.ThreadLocks`."""

    def __init__(self, uri: str) -> None:
        self._uri = uri
        self._here = ThreadLocks()
        self._connection: Connection | None = None
        self._turn = asyncio.Lock()
        self._keepers: set[asyncio.Task[None]] = set()

    def here(self, thread_id: str) -> asyncio.Lock:
        """See `interfaces.ThreadLocks`."""
        return self._here.here(thread_id)

    @asynccontextmanager
    async def of(self, thread_id: str) -> AsyncIterator[None]:
        """See `interfaces.ThreadLocks`. Raises `Unavailable`."""
        async with self._here.of(thread_id):
            held: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            released = asyncio.Event()
            # A task of its own: whoever waits may be cancelled just when the lock is given.
            keeper = asyncio.create_task(self._keep(thread_id, held, released), name=f"lock {thread_id}")
            self._keepers.add(keeper)
            keeper.add_done_callback(self._keepers.discard)
            try:
                await held
                yield
            finally:
                released.set()

    async def close(self) -> None:
        """Let go of the connection, once nobody holds a lock any more."""
        if self._keepers:
            await asyncio.wait(self._keepers)
        if self._connection is not None:
            await self._connection.close()

    async def _keep(self, thread_id: str, held: "asyncio.Future[None]", released: asyncio.Event) -> None:
        try:
            connection = await self._take(thread_id, released)
        except (Unavailable, psycopg.Error) as error:
            if not held.done():
                held.set_exception(error)
            return
        if not held.done():
            held.set_result(None)
        await released.wait()
        if connection is not None and not connection.closed:
            try:
                await connection.execute(f"SELECT pg_advisory_unlock({NAME})", (thread_id,))
            except psycopg.Error:
                # It has ended with the connection.
                return

    async def _take(self, thread_id: str, released: asyncio.Event) -> Connection | None:
        """The connection that holds the lock; None when nobody wants it any more."""
        give_up_at = time.monotonic() + PATIENCE
        while not released.is_set():
            with trouble_as_domain_error():
                connection = await self._connected()
                answer = await connection.execute(f"SELECT pg_try_advisory_lock({NAME})", (thread_id,))
                row = await answer.fetchone()
            if row is not None and row[0]:
                return connection
            if time.monotonic() > give_up_at:
                raise Unavailable("Another server has been changing the thread for too long.")
            await asyncio.sleep(LOOK_AGAIN * random.uniform(0.5, 1.5))
        return None

    async def _connected(self) -> Connection:
        async with self._turn:
            if self._connection is None or self._connection.closed:
                self._connection = await connect(self._uri)
            return self._connection
