"""Opens storage on SQLite: every part, from the files of one data directory."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Literal

from robyn_server.settings import Settings
from robyn_server.storage.assistants import AssistantTable
from robyn_server.storage.backup import back_up
from robyn_server.storage.checkpoints import SqliteCheckpoints, open_checkpoints
from robyn_server.storage.crons import CronTable
from robyn_server.storage.db import Transition
from robyn_server.storage.migrations import APP_FILE, migrate
from robyn_server.storage.run_queue import SqlRunQueue
from robyn_server.storage.runs import RunTable
from robyn_server.storage.sqlite_db import SqliteDb
from robyn_server.storage.store import SqlStore, StoreOptions, open_store
from robyn_server.storage.threads import ThreadTable


class SqliteStorage:
    """`interfaces.Storage`."""

    shared = False

    def __init__(
        self,
        data_dir: Path,
        db: SqliteDb,
        checkpoints: SqliteCheckpoints,
        store: SqlStore,
        pending_per_thread: int,
    ) -> None:
        self._data_dir = data_dir
        self._db = db
        self.assistants = AssistantTable(db)
        self.threads = ThreadTable(db)
        self.runs = RunTable(db)
        self.queue = SqlRunQueue(db, pending_per_thread)
        self.crons = CronTable(db)
        self.checkpoints = checkpoints
        self.store = store
        self.description = f"SQLite in {data_dir}"

    async def sweep_store(self) -> int:
        """See `Storage`."""
        return await self.store.sweep()

    async def ready(self) -> None:
        """See `Storage`."""
        await self._db.read(_version)

    async def backup(self, target: str) -> None:
        """See `Storage`. Raises `Unavailable`."""
        await asyncio.to_thread(back_up, self._data_dir, Path(target))

    async def close(self) -> None:
        """See `Storage`. May be called twice."""
        try:
            await self.store.close()
            await self.checkpoints.close()
        finally:
            await self._db.close()


async def open_storage(settings: Settings, store: StoreOptions | None = None) -> SqliteStorage:
    """Bring the databases up to date and open everything in the data directory, which the caller holds
    (`data_dir.hold_data_dir`). Raises `StartupError`."""
    data_dir = settings.data_dir
    migrate(data_dir)
    synchronous: Literal["FULL", "NORMAL"] = "FULL" if settings.durability_full else "NORMAL"
    db = SqliteDb(data_dir / APP_FILE, synchronous=synchronous)
    async with AsyncExitStack() as opened:
        opened.push_async_callback(db.close)
        checkpoints = await open_checkpoints(
            data_dir, pickle_fallback=settings.checkpoint_pickle_fallback, synchronous=synchronous
        )
        opened.push_async_callback(checkpoints.close)
        memory = await open_store(data_dir, store or StoreOptions(), synchronous=synchronous)
        opened.pop_all()
    return SqliteStorage(data_dir, db, checkpoints, memory, settings.pending_per_thread)


def _version() -> Transition[int]:
    rows = yield "SELECT max(version) FROM schema_version", ()
    version: int = rows[0][0]
    return version
