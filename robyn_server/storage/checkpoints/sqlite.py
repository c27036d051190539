"""The checkpoints of all threads in one SQLite file with a writer thread of its own."""

import asyncio
from functools import partial
from pathlib import Path
from typing import Literal

from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.serde.base import SerializerProtocol

from robyn_server.resources.types import JsonObject
from robyn_server.storage.checkpoints import upkeep
from robyn_server.storage.checkpoints.interfaces import Upkeep
from robyn_server.storage.checkpoints.portions import Portions
from robyn_server.storage.checkpoints.rows import TABLES
from robyn_server.storage.checkpoints.saver import SqliteSaver
from robyn_server.storage.checkpoints.serializer import SerdeOptions, checkpoint_serializer
from robyn_server.storage.encryption.cipher import CLEAR, Cipher
from robyn_server.storage.encryption.key_check import check_key
from robyn_server.storage.migrations import Step, bring_up_to_date
from robyn_server.storage.sqlite_db import SqliteDb

CHECKPOINTS_FILE = "checkpoints.db"

STEPS: tuple[Step, ...] = (lambda _: TABLES,)


class SqliteCheckpoints:
    """See `interfaces.Checkpoints`. What may be much to do is done in portions, and whole but for a crash."""

    of_project = False

    def __init__(self, db: SqliteDb, serializer: SerializerProtocol) -> None:
        self._db = db
        self._cipher = db.dialect.cipher
        self._serializer = serializer
        self._portions = Portions(db)

    def saver(self) -> BaseCheckpointSaver[str]:
        """A saver for one run or one request; see `SqliteSaver`."""
        return SqliteSaver(self._db, self._serializer, self._portions)

    def check(self, upkeep: Upkeep) -> None:
        """See `Checkpoints`: there is nothing that these cannot do."""

    async def delete_thread(self, thread_id: str) -> None:
        """See `upkeep.delete_thread`."""
        await self._portions.carry_out(upkeep.delete_thread(self._cipher, thread_id))

    async def delete_run(self, thread_id: str, run_id: str) -> None:
        """See `upkeep.delete_run`."""
        await self._portions.carry_out(upkeep.delete_run(self._cipher, thread_id, run_id))

    async def copy_thread(self, thread_id: str, new_thread_id: str) -> None:
        """See `upkeep.copy_thread`."""
        await self._db.write(partial(upkeep.copy_thread, thread_id, new_thread_id))

    async def keep_latest(self, thread_id: str, keep: int = 1) -> None:
        """See `upkeep.keep_latest`. Not while the thread has a running run."""
        await self._portions.carry_out(upkeep.keep_latest(self._cipher, thread_id, keep))

    async def newest_run_id(self, thread_id: str) -> str | None:
        """See `upkeep.newest_run_id`."""
        return await self._db.read(partial(upkeep.newest_run_id, thread_id))

    async def storage(self, thread_id: str) -> JsonObject:
        """`{"thread_id", "total_bytes", "checkpoints": {"count", "bytes"}, "channel_values": {"count",
        "bytes", "by_channel": {name: {"bytes", "versions"}}}, "pending_writes": {"count", "bytes"}}`. Bytes that
        several versions of a channel share count once."""
        return await self._db.read(partial(upkeep.storage, thread_id))

    async def close(self) -> None:
        """Finish what is queued and close the file. May be called twice."""
        await self._portions.ended()
        await self._db.close()


async def open_checkpoints(
    data_dir: Path,
    *,
    serde: SerdeOptions | None = None,
    synchronous: Literal["NORMAL", "FULL"] = "NORMAL",
    cipher: Cipher = CLEAR,
) -> SqliteCheckpoints:
    """The checkpoints of `data_dir`; the file is made when missing. For `serde` see
    `checkpoint_serializer`. Raises `StartupError`."""
    path = data_dir / CHECKPOINTS_FILE
    await asyncio.to_thread(bring_up_to_date, path, STEPS)
    await asyncio.to_thread(check_key, path, cipher)
    db = SqliteDb(path, synchronous=synchronous, cipher=cipher)
    return SqliteCheckpoints(db, checkpoint_serializer(serde))
