"""Opens storage on SQLite: every part, from the files of one data directory."""

import asyncio
from contextlib import AsyncExitStack
from datetime import datetime
from pathlib import Path
from typing import Literal

from langgraph.store.base import BaseStore

from robyn_server.resources.clock import now
from robyn_server.settings import Settings
from robyn_server.storage.assistants import AssistantTable
from robyn_server.storage.backup import back_up
from robyn_server.storage.checkpoints.interfaces import Checkpoints
from robyn_server.storage.checkpoints.sqlite import open_checkpoints
from robyn_server.storage.crons import CronTable
from robyn_server.storage.db import Transition
from robyn_server.storage.encryption.key_check import check_key
from robyn_server.storage.encryption.opening import NO_ENCRYPTION, Encryption
from robyn_server.storage.interfaces import SealingContexts
from robyn_server.storage.migrations import APP_FILE, migrate
from robyn_server.storage.persistence import (
    Persistence,
    custom_checkpoints,
    custom_store,
    embed_again,
    store_of,
    sweep_store,
)
from robyn_server.storage.run_queue import SqlRunQueue
from robyn_server.storage.runs import RunTable
from robyn_server.storage.sqlite_db import SqliteDb
from robyn_server.storage.store.documents import DocumentEmbedding
from robyn_server.storage.store.sql_store import DOCUMENTS_FILE, SqlStore, StoreOptions, open_store
from robyn_server.storage.thread_locks import ThreadLocks
from robyn_server.storage.threads import ThreadTable


class SqliteStorage:
    """`interfaces.Storage`."""

    def __init__(
        self,
        data_dir: Path,
        db: SqliteDb,
        checkpoints: Checkpoints,
        store: BaseStore,
        documents: SqlStore,
        embedder: str,
        pending_per_thread: int,
        opened: AsyncExitStack,
        contexts: SealingContexts | None = None,
    ) -> None:
        self.shared = not db.alone
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
        self._opened = opened

    def store_of(self, owner: str | None) -> BaseStore:
        """See `Storage`."""
        return store_of(self.store, owner)

    async def sweep_store(self) -> int:
        """See `Storage`."""
        return await sweep_store(self.store)

    async def embed_again(self) -> int:
        """See `Storage`. Not where handlers encrypt: the vectors of all their users would get one key."""
        if self.contexts is not None:
            return 0
        return await embed_again(self.store)

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
            await self._opened.aclose()
        finally:
            if self.contexts is not None:
                await self.contexts.close()


async def open_storage(
    settings: Settings,
    persistence: Persistence | None = None,
    encryption: Encryption = NO_ENCRYPTION,
    *,
    shared: bool = False,
) -> SqliteStorage:
    """Bring the databases up to date and open everything in the data directory, which the caller holds
    (`data_dir.hold_data_dir`); `shared`: other processes work on it too.
    Raises `StartupError`, also when the encryption is not that of the data."""
    wished = persistence or Persistence()
    data_dir, cipher = settings.data_dir, encryption.cipher
    migrate(data_dir)
    check_key(data_dir / APP_FILE, cipher)
    synchronous: Literal["FULL", "NORMAL"] = "FULL" if settings.durability_full else "NORMAL"
    async with AsyncExitStack() as opened:
        db = SqliteDb(data_dir / APP_FILE, synchronous=synchronous, cipher=cipher, alone=not shared)
        opened.push_async_callback(db.close)
        checkpoints: Checkpoints | None = await custom_checkpoints(wished, opened)
        if checkpoints is None:
            own = await open_checkpoints(data_dir, serde=wished.serde, synchronous=synchronous, cipher=cipher)
            opened.push_async_callback(own.close)
            checkpoints = own
        memory: BaseStore | None = await custom_store(wished, opened)
        if memory is None:
            memory = await open_store(data_dir, wished.store, synchronous=synchronous, cipher=cipher)
            opened.push_async_callback(memory.close)
        embedding = DocumentEmbedding.from_settings(settings)
        documents = await open_store(
            data_dir,
            StoreOptions(index=embedding.index, index_name=embedding.name),
            synchronous=synchronous,
            file=DOCUMENTS_FILE,
            cipher=cipher,
        )
        opened.push_async_callback(documents.close)
        return SqliteStorage(
            data_dir,
            db,
            checkpoints,
            memory,
            documents,
            embedding.name,
            settings.pending_per_thread,
            opened.pop_all(),
            encryption.contexts,
        )


def _version() -> Transition[int]:
    rows = yield "SELECT max(version) FROM schema_version", ()
    version: int = rows[0][0]
    return version
