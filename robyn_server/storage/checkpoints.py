"""LangGraph's checkpoints in one SQLite file, and the upkeep that the shipped saver lacks."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import aiosqlite
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.serde.base import SerializerProtocol
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

from robyn_server.resources.types import JsonObject
from robyn_server.storage.checkpoint_saver import SLOT, UNDO_TABLE, RunSaver
from robyn_server.storage.checkpoint_size import ThreadSize

_WRITE = f"{SLOT}, task_path, channel, type, value"
_SAME_SLOT = "thread_id = ? AND checkpoint_ns = ? AND checkpoint_id = ? AND task_id = ? AND idx = ?"
_CHECKPOINT = "thread_id = ? AND checkpoint_ns = ? AND checkpoint_id = ?"
# Channels of this kind hold only what changed since a snapshot further up (metadata of langgraph >= 1.2).
_HAS_DELTAS = """instr(CAST(metadata AS TEXT), '"counters_since_delta_snapshot"') > 0"""


class SqliteCheckpoints:
    """The checkpoints of all threads. See `interfaces.Checkpoints`.

    The upkeep runs on the savers' own connection, under their lock: SQLite has one writer anyway. Every
    method is one transaction and may be repeated after a crash.
    """

    def __init__(self, connection: aiosqlite.Connection, serializer: SerializerProtocol) -> None:
        self._connection = connection
        self._serializer = serializer
        self._lock = asyncio.Lock()

    async def prepare(self) -> None:
        """Make the tables."""
        await AsyncSqliteSaver(self._connection, serde=self._serializer).setup()
        await self._connection.execute(UNDO_TABLE)
        await self._connection.commit()

    def saver(self) -> BaseCheckpointSaver[str]:
        """A saver object for one run or one request. It copes with `with_allowlist` and with sync calls from
        other threads; it needs the loop on which the file was opened."""
        return RunSaver(self._connection, self._lock, self._serializer)

    async def delete_thread(self, thread_id: str) -> None:
        """Every checkpoint of the thread, in all namespaces, with its writes."""
        async with self._transaction() as connection:
            for table in ("checkpoints", "writes", "write_undo"):
                await connection.execute(f"DELETE FROM {table} WHERE thread_id = ?", (thread_id,))

    async def delete_run(self, thread_id: str, run_id: str) -> None:
        """Every checkpoint that carries this run id, with its writes; and on checkpoints of earlier runs,
        what this run wrote is undone, so that an interrupt it had answered is pending again."""
        async with self._transaction() as connection:
            await self._undo_writes(thread_id, run_id)
            candidates = await connection.execute_fetchall(
                "SELECT checkpoint_ns, checkpoint_id, metadata FROM checkpoints"
                " WHERE thread_id = ? AND instr(CAST(metadata AS TEXT), ?) > 0",
                (thread_id, run_id),
            )
            own = [(ns, name) for ns, name, metadata in candidates if _run_id(metadata) == run_id]
            await self._drop(thread_id, own)
            await connection.execute(
                "DELETE FROM write_undo WHERE thread_id = ? AND run_id = ?", (thread_id, run_id)
            )

    async def _undo_writes(self, thread_id: str, run_id: str) -> None:
        undo = await self._connection.execute_fetchall(
            f"SELECT seq, existed, {_WRITE} FROM write_undo WHERE thread_id = ? AND run_id = ?",
            (thread_id, run_id),
        )
        for seq, existed, *write in undo:
            slot, content = write[:5], write[5:]
            # If a later run wrote there too, what stood before us is what undoing that run must bring back.
            later = await self._connection.execute_fetchall(
                f"SELECT min(seq) FROM write_undo WHERE {_SAME_SLOT} AND seq > ?", (*slot, seq)
            )
            ((successor,),) = later
            if successor is not None:
                await self._connection.execute(
                    "UPDATE write_undo SET existed = ?, task_path = ?, channel = ?, type = ?, value = ?"
                    " WHERE seq = ?",
                    (existed, *content, successor),
                )
                continue
            await self._connection.execute(f"DELETE FROM writes WHERE {_SAME_SLOT}", slot)
            if existed:
                await self._connection.execute(
                    f"INSERT INTO writes ({_WRITE}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", write
                )

    async def _drop(self, thread_id: str, doomed: Iterable[tuple[str, str]]) -> None:
        keys = [(thread_id, ns, checkpoint_id) for ns, checkpoint_id in doomed]
        for table in ("checkpoints", "writes", "write_undo"):
            await self._connection.executemany(f"DELETE FROM {table} WHERE {_CHECKPOINT}", keys)

    async def copy_thread(self, thread_id: str, new_thread_id: str) -> None:
        """All checkpoints and writes under another thread id. Metadata keeps its run ids and gets the new
        thread id. What runs overwrote is not copied: the copy has no runs that could be rolled back."""
        async with self._transaction() as connection:
            await connection.execute(
                "INSERT OR REPLACE INTO checkpoints (thread_id, checkpoint_ns, checkpoint_id,"
                " parent_checkpoint_id, type, checkpoint, metadata)"
                " SELECT ?, checkpoint_ns, checkpoint_id, parent_checkpoint_id, type, checkpoint,"
                " rename_thread(metadata, ?) FROM checkpoints WHERE thread_id = ?",
                (new_thread_id, new_thread_id, thread_id),
            )
            columns = _WRITE.removeprefix("thread_id, ")
            await connection.execute(
                f"INSERT OR REPLACE INTO writes (thread_id, {columns}) SELECT ?, {columns} FROM writes"
                " WHERE thread_id = ?",
                (new_thread_id, thread_id),
            )

    async def keep_latest(self, thread_id: str, keep: int = 1) -> None:
        """Prune each namespace to its newest `keep` checkpoints. Where a graph uses delta channels, ancestors
        that these still need for their values stay as well. Not while the thread has a running run."""
        async with self._transaction() as connection:
            rows = await connection.execute_fetchall(
                f"SELECT checkpoint_ns, checkpoint_id, parent_checkpoint_id, {_HAS_DELTAS} FROM checkpoints"
                " WHERE thread_id = ? ORDER BY checkpoint_ns, checkpoint_id DESC",
                (thread_id,),
            )
            await self._drop(thread_id, _superfluous(rows, keep))

    async def newest_run_id(self, thread_id: str) -> str | None:
        """The run id that the newest root checkpoint of the thread carries."""
        rows = await self._connection.execute_fetchall(
            "SELECT metadata FROM checkpoints WHERE thread_id = ? AND checkpoint_ns = ''"
            " ORDER BY checkpoint_id DESC LIMIT 1",
            (thread_id,),
        )
        return next((_run_id(metadata) for (metadata,) in rows), None)

    async def storage(self, thread_id: str) -> JsonObject:
        """`{"thread_id", "total_bytes", "checkpoints": {"count", "bytes"}, "channel_values": {"count",
        "bytes", "by_channel": {name: {"bytes", "versions"}}}, "pending_writes": {"count", "bytes"}}`; every
        checkpoint here holds all its values, so bytes count each copy and the total is what the file
        holds."""
        size = ThreadSize(thread_id, self._serializer)
        async for batch in self._batches(thread_id):
            await asyncio.to_thread(size.add, batch)
        ((count, length),) = await self._connection.execute_fetchall(
            "SELECT count(*), coalesce(sum(length(value)), 0) FROM writes WHERE thread_id = ?", (thread_id,)
        )
        return size.report(count, length)

    async def _batches(self, thread_id: str, size: int = 50) -> AsyncIterator[Sequence[Any]]:
        after = ("", "")
        while True:
            batch = await self._connection.execute_fetchall(
                "SELECT checkpoint_ns, checkpoint_id, type, checkpoint, length(CAST(metadata AS BLOB))"
                " FROM checkpoints WHERE thread_id = ? AND (checkpoint_ns, checkpoint_id) > (?, ?)"
                " ORDER BY checkpoint_ns, checkpoint_id LIMIT ?",
                (thread_id, *after, size),
            )
            rows = list(batch)
            if not rows:
                return
            yield rows
            after = rows[-1][:2]

    async def close(self) -> None:
        """Finish what is queued and close the file."""
        async with self._lock:
            await self._connection.close()

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[aiosqlite.Connection]:
        async with self._lock:
            # A put that was cancelled may have left its transaction open.
            await self._connection.commit()
            await self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
            except BaseException:
                await self._connection.rollback()
                raise
            await self._connection.commit()


def rename_thread(metadata: bytes | str | None, thread_id: str) -> bytes | str | None:
    """An SQL function: checkpoint metadata with another `thread_id`, if it holds one."""
    if metadata is None:
        return None
    parsed = json.loads(metadata)
    if "thread_id" not in parsed:
        return metadata
    parsed["thread_id"] = thread_id
    return json.dumps(parsed, ensure_ascii=False).encode("utf-8", "ignore")


def _run_id(metadata: bytes | str) -> str | None:
    # Not orjson: the saver writes NaN as Python does.
    run_id = json.loads(metadata).get("run_id")
    return run_id if isinstance(run_id, str) else None


def _superfluous(rows: Iterable[Sequence[Any]], keep: int) -> Iterator[tuple[str, str]]:
    by_namespace: dict[str, dict[str, tuple[str | None, int]]] = {}
    for ns, checkpoint_id, parent, has_deltas in rows:
        by_namespace.setdefault(ns, {})[checkpoint_id] = (parent, has_deltas)
    for ns, found in by_namespace.items():
        kept: set[str] = set()
        for newest in list(found)[:keep]:
            needed: str | None = newest
            while needed in found and needed not in kept:
                kept.add(needed)
                parent, has_deltas = found[needed]
                needed = parent if has_deltas else None
        yield from ((ns, checkpoint_id) for checkpoint_id in found if checkpoint_id not in kept)
