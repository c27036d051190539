"""LangGraph's SQLite saver, taught to remember what a run overwrites on checkpoints that are not its own.

A run that resumes an interrupt adds its writes to the checkpoint it continues from, which an earlier run
made: the answer, the results of the tasks that finished, and sometimes another interrupt in the place of the
first. Deleting the run's own checkpoints does not take these back. So before the first such write of each
slot the saver keeps what stood there in `write_undo`, and `SqliteCheckpoints.delete_run` puts it back. It is
committed before the write it undoes, therefore a crash in between costs nothing.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any, cast

import aiosqlite
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import (
    WRITES_IDX_MAP,
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
)
from langgraph.checkpoint.serde.base import SerializerProtocol
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

SLOT = "thread_id, checkpoint_ns, checkpoint_id, task_id, idx"
"""What names one row of the saver's table `writes`."""

UNDO_TABLE = """CREATE TABLE IF NOT EXISTS write_undo (
    seq INTEGER PRIMARY KEY, run_id TEXT NOT NULL, thread_id TEXT NOT NULL, checkpoint_ns TEXT NOT NULL,
    checkpoint_id TEXT NOT NULL, task_id TEXT NOT NULL, idx INTEGER NOT NULL,
    existed INTEGER NOT NULL, task_path TEXT, channel TEXT, type TEXT, value BLOB,
    UNIQUE (thread_id, run_id, checkpoint_ns, checkpoint_id, task_id, idx))"""

# A checkpoint that carries the run's id is its own: it goes as a whole.
_REMEMBER = f"""INSERT OR IGNORE INTO write_undo
    (run_id, {SLOT}, existed, task_path, channel, type, value)
    SELECT :run_id, c.thread_id, c.checkpoint_ns, c.checkpoint_id, :task_id, :idx,
        w.idx IS NOT NULL, w.task_path, w.channel, w.type, w.value
    FROM checkpoints c LEFT JOIN writes w ON w.thread_id = c.thread_id AND w.checkpoint_ns = c.checkpoint_ns
        AND w.checkpoint_id = c.checkpoint_id AND w.task_id = :task_id AND w.idx = :idx
    WHERE c.thread_id = :thread_id AND c.checkpoint_ns = :checkpoint_ns AND c.checkpoint_id = :checkpoint_id
        AND instr(CAST(coalesce(c.metadata, '') AS TEXT), :run_id) = 0"""


class RunSaver(AsyncSqliteSaver):
    """A saver object for one run or one request; all of them share one connection and its lock."""

    def __init__(
        self, connection: aiosqlite.Connection, lock: asyncio.Lock, serializer: SerializerProtocol
    ) -> None:
        super().__init__(connection, serde=serializer)
        self.lock = lock
        self.is_setup = True
        self._loaded: set[str] = set()
        """Ids of checkpoints read here: a graph writes onto an earlier checkpoint only after loading it."""

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """Read one checkpoint."""
        found = await super().aget_tuple(config)
        if found is not None:
            self._loaded.add(found.checkpoint["id"])
        return found

    async def alist(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[CheckpointTuple]:
        """Read checkpoints, newest first."""
        async for found in super().alist(config, filter=filter, before=before, limit=limit):
            self._loaded.add(found.checkpoint["id"])
            yield found

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """Save a checkpoint. Its metadata names the thread, as clients see it in a thread's state."""
        named = {**metadata, "thread_id": str(config["configurable"]["thread_id"])}
        return await super().aput(config, checkpoint, cast(CheckpointMetadata, named), new_versions)

    async def aput_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        """Save writes of a task, after remembering what they may replace on another run's checkpoint."""
        configurable = config["configurable"]
        run_id = configurable.get("run_id")
        if run_id and configurable["checkpoint_id"] in self._loaded:
            slot = {
                "run_id": str(run_id),
                "thread_id": str(configurable["thread_id"]),
                "checkpoint_ns": str(configurable["checkpoint_ns"]),
                "checkpoint_id": str(configurable["checkpoint_id"]),
                "task_id": task_id,
            }
            slots = {WRITES_IDX_MAP.get(channel, idx) for idx, (channel, _) in enumerate(writes)}
            async with self.lock:
                await self.conn.executemany(_REMEMBER, [{**slot, "idx": idx} for idx in slots])
                await self.conn.commit()
        await super().aput_writes(config, writes, task_id, task_path)
