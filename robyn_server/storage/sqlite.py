"""Opens storage on SQLite: every part, from the files of one data directory."""

import asyncio
from contextlib import AsyncExitStack
from datetime import datetime
from pathlib import Path
from typing import Literal

from robyn_server.resources.clock import now
from robyn_server.settings import Settings
from robyn_server.storage.assistants import AssistantTable
from robyn_server.storage.backup import back_up
from robyn_server.storage.checkpoints import SqliteCheckpoints, open_checkpoints
from robyn_server.storage.crons import CronTable
from robyn_server.storage.db import Transition
from robyn_server.storage.document_embedding import DocumentEmbedding
from robyn_server.storage.encryption import NO_ENCRYPTION, Encryption
from robyn_server.storage.interfaces import SealingContexts
from robyn_server.storage.key_check import check_key
from robyn_server.storage.migrations import APP_FILE, migrate
from robyn_server.storage.run_queue import SqlRunQueue
from robyn_server.storage.runs import RunTable
from robyn_server.storage.sqlite_db import SqliteDb
from robyn_server.storage.store import DOCUMENTS_FILE, SqlStore, StoreOptions, open_store
from robyn_server.storage.thread_locks import ThreadLocks
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
        documents: SqlStore,
        embedder: str,
        pending_per_thread: int,
        contexts: SealingContexts | None = None,
    ) -> None:
        self._data_dir = data_dir
        self._db = db
        self.assistants = AssistantTable(db)
        self.threads = ThreadTable(db)
        self.runs = RunTable(db)
        self.queue = SqlRunQueue(db, pending_per_thread)
        self.crons = CronTable(db)
        self.thread_locks = ThreadLocks()
        self.checkpoints = checkpoints
        self.store = store
        self.documents = documents
        self.embedder = embedder
        self.description = f"SQLite in {data_dir}"
        self.contexts = contexts
        self.is_sealed = db.dialect.cipher.seals

    async def sweep_store(self) -> int:
        """See `Storage`."""
        return await self.store.sweep()

    def now(self) -> datetime:
        """See `Storage`."""
        return now()

    async def read_clock(self) -> None:
        """See `Storage`."""

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
            await self.documents.close()
            await self.checkpoints.close()
        finally:
            await self._db.close()
            if self.contexts is not None:
                await self.contexts.close()


async def open_storage(
    settings: Settings, store: StoreOptions | None = None, encryption: Encryption = NO_ENCRYPTION
) -> SqliteStorage:
    """Bring the databases up to date and open everything in the data directory, which the caller holds
    (`data_dir.hold_data_dir`). Raises `StartupError`, also when the encryption is not that of the data."""
    data_dir, cipher = settings.data_dir, encryption.cipher
    migrate(data_dir)
    check_key(data_dir / APP_FILE, cipher)
    synchronous: Literal["FULL", "NORMAL"] = "FULL" if settings.durability_full else "NORMAL"
    db = SqliteDb(data_dir / APP_FILE, synchronous=synchronous, cipher=cipher)
    async with AsyncExitStack() as opened:
        opened.push_async_callback(db.close)
        checkpoints = await open_checkpoints(
            data_dir,
            pickle_fallback=settings.checkpoint_pickle_fallback,
            synchronous=synchronous,
            cipher=cipher,
        )
        opened.push_async_callback(checkpoints.close)
        memory = await open_store(data_dir, store or StoreOptions(), synchronous=synchronous, cipher=cipher)
        opened.push_async_callback(memory.close)
        embedding = DocumentEmbedding.from_settings(settings)
        documents = await open_store(
            data_dir,
            StoreOptions(index=embedding.index),
            synchronous=synchronous,
            file=DOCUMENTS_FILE,
            cipher=cipher,
        )
        opened.pop_all()
    return SqliteStorage(
        data_dir,
        db,
        checkpoints,
        memory,
        documents,
        embedding.name,
        settings.pending_per_thread,
        encryption.contexts,
    )


def _version() -> Transition[int]:
    rows = yield "SELECT max(version) FROM schema_version", ()
    version: int = rows[0][0]
    return version
