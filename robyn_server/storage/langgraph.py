"""Opens LangGraph's own parts, checkpoints and long-term memory, on files in the data directory.

They are opened on the running loop and must be closed on it: each keeps a thread that would hold the process
open.
"""

import asyncio
import logging
from pathlib import Path

import aiosqlite
from langgraph.checkpoint.serde.base import SerializerProtocol
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.store.base import TTLConfig
from langgraph.store.sqlite.aio import AsyncSqliteStore

from robyn_server.storage.checkpoints import SqliteCheckpoints, rename_thread

CHECKPOINTS_FILE = "checkpoints.db"
STORE_FILE = "store.db"

PRAGMAS = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = NORMAL",
    "PRAGMA busy_timeout = 10000",
    "PRAGMA cache_size = -32000",
    "PRAGMA temp_store = MEMORY",
)


def checkpoint_serializer() -> SerializerProtocol:
    """The serializer of checkpoints: LangGraph's default, which loads the types of the graphs' own state
    (dataclasses, pydantic models).

    No allow-list is set, because only the graphs know their types. An operator who wants one sets
    `LANGGRAPH_STRICT_MSGPACK=true`: LangGraph then allows the types that the graph's schema names, through
    `with_allowlist`. The default's warning, once for each such type, is left out of the log: it tells the
    operator to do what only the graph's author could.
    """
    logging.getLogger(JsonPlusSerializer.__module__).addFilter(_is_not_unregistered_type)
    return JsonPlusSerializer()


def _is_not_unregistered_type(record: logging.LogRecord) -> bool:
    return not str(record.msg).startswith("Deserializing unregistered type")


async def open_checkpoints(data_dir: Path) -> SqliteCheckpoints:
    """The checkpoints of `data_dir`; the file is made when missing."""
    connection = await aiosqlite.connect(data_dir / CHECKPOINTS_FILE)
    checkpoints = SqliteCheckpoints(connection, checkpoint_serializer())
    try:
        await _set_up(connection)
        await connection.create_function("rename_thread", 2, rename_thread, deterministic=True)
        await checkpoints.prepare()
    except BaseException:
        await connection.close()
        raise
    return checkpoints


async def open_store(data_dir: Path, ttl: TTLConfig | None = None) -> "SqliteStore":
    """The store of `data_dir`; the file is made when missing. `ttl` is `{"refresh_on_read", "default_ttl"
    (minutes), "sweep_interval_minutes"}`, as in langgraph.json."""
    # The store opens its transactions itself, hence no isolation level.
    connection = await aiosqlite.connect(data_dir / STORE_FILE, isolation_level=None)
    try:
        await _set_up(connection)
        store = SqliteStore(connection, ttl=ttl)
        await store.setup()
        if ttl:
            await store.start_ttl_sweeper()
    except BaseException:
        await connection.close()
        raise
    return store


async def _set_up(connection: aiosqlite.Connection) -> None:
    for pragma in PRAGMAS:
        await connection.execute(pragma)


class SqliteStore(AsyncSqliteStore):
    """LangGraph's SQLite store, closable."""

    _closed = False

    async def close(self) -> None:
        """Stop the sweeper, finish what is queued and close the file. May be called twice."""
        if self._closed:
            return
        self._closed = True
        await self.stop_ttl_sweeper()
        # Operations are answered in order, so this one comes back after all before it.
        await self.aget(("robyn_server",), "")
        if self._task:
            self._task.cancel()
            await asyncio.wait([self._task])
        async with self.lock:
            await self.conn.close()
