"""Opens storage on PostgreSQL: every part, on one pool."""

import asyncio
from contextlib import AsyncExitStack
from datetime import datetime

from langgraph.store.base import BaseStore

from robyn_server.errors import NotSupported
from robyn_server.settings import Settings
from robyn_server.storage.assistants import AssistantTable
from robyn_server.storage.checkpoints.interfaces import Checkpoints
from robyn_server.storage.checkpoints.postgres import PostgresCheckpoints
from robyn_server.storage.checkpoints.serializer import checkpoint_serializer, sealing_serializer
from robyn_server.storage.crons import CronTable
from robyn_server.storage.db import Transition
from robyn_server.storage.dialect_postgres import PostgresDialect
from robyn_server.storage.encryption.key_check_postgres import check_key
from robyn_server.storage.encryption.opening import NO_ENCRYPTION, Encryption
from robyn_server.storage.interfaces import SealingContexts
from robyn_server.storage.migrations.postgres import DOCUMENTS_SCHEMA, migrate
from robyn_server.storage.migrations.vectors import open_vectors
from robyn_server.storage.persistence import (
    Persistence,
    custom_checkpoints,
    custom_store,
    embed_again,
    store_of,
    sweep_store,
)
from robyn_server.storage.postgres_clock import PostgresClock
from robyn_server.storage.postgres_connection import open_pool, place_of
from robyn_server.storage.postgres_db import PostgresDb
from robyn_server.storage.run_queue import SqlRunQueue
from robyn_server.storage.runs import RunTable
from robyn_server.storage.store.documents import DocumentEmbedding
from robyn_server.storage.store.sql_store import SqlStore, StoreOptions, store_on
from robyn_server.storage.thread_locks_postgres import PostgresThreadLocks
from robyn_server.storage.threads import ThreadTable


class PostgresStorage:
    """`interfaces.Storage`."""

    shared = True

    def __init__(
        self,
        db: PostgresDb,
        clock: PostgresClock,
        thread_locks: PostgresThreadLocks,
        settings: Settings,
        checkpoints: Checkpoints,
        store: BaseStore,
        documents: SqlStore,
        embedder: str,
        opened: AsyncExitStack,
        contexts: SealingContexts | None = None,
    ) -> None:
        assert settings.database_uri is not None, "PostgreSQL was asked for"
        self._db = db
        self.assistants = AssistantTable(db)
        self.threads = ThreadTable(db)
        self.runs = RunTable(db)
        self.queue = SqlRunQueue(db, settings.pending_per_thread)
        self.crons = CronTable(db)
        self.checkpoints = checkpoints
        self.store = store
        self.documents = documents
        self.embedder = embedder
        self.contexts = contexts
        self.is_sealed = db.dialect.cipher.seals
        self.thread_locks = thread_locks
        self._clock = clock
        self.description = f"PostgreSQL {place_of(settings.database_uri)}"
        self._opened = opened

    def now(self) -> datetime:
        """See `Storage`."""
        return self._clock.now()

    async def read_clock(self) -> None:
        """See `Storage`."""
        await self._clock.read()

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

    async def ready(self) -> None:
        """See `Storage`."""
        await self._db.read(_version)

    async def backup(self, target: str) -> None:
        """See `Storage`. Raises `NotSupported`."""
        raise NotSupported("The data is in PostgreSQL: back it up with pg_dump.")

    async def close(self) -> None:
        """See `Storage`. May be called twice."""
        try:
            await self._opened.aclose()
        finally:
            if self.contexts is not None:
                await self.contexts.close()


async def open_storage(
    settings: Settings, persistence: Persistence | None = None, encryption: Encryption = NO_ENCRYPTION
) -> PostgresStorage:
    """Bring the database `settings.database_uri` up to date and open everything in it, on the running loop. Raises
    `StartupError`, also when the encryption is not that of the data."""
    assert settings.database_uri is not None, "PostgreSQL was asked for"
    wished = persistence or Persistence()
    await migrate(settings.database_uri)
    await asyncio.to_thread(check_key, settings.database_uri, encryption.cipher)
    vectors = None
    # Sealed vectors mean nothing to the database.
    if not encryption.cipher.seals:
        vectors = await open_vectors(settings.database_uri, needed=wished.store.index is not None)
    dialect = PostgresDialect(encryption.cipher, vectors)
    async with AsyncExitStack() as opened:
        pool = await open_pool(settings.database_uri, settings.database_connections)
        db = PostgresDb(pool, settings.database_uri, dialect)
        opened.push_async_callback(db.close)
        documents_db = PostgresDb(pool, settings.database_uri, dialect, DOCUMENTS_SCHEMA)
        opened.push_async_callback(documents_db.settle)
        serializer = sealing_serializer(checkpoint_serializer(wished.serde), encryption.cipher)
        own = PostgresCheckpoints(pool, db, serializer)
        checkpoints = await custom_checkpoints(wished, opened)
        store = await custom_store(wished, opened)
        thread_locks = PostgresThreadLocks(settings.database_uri)
        opened.push_async_callback(thread_locks.close)
        embedding = DocumentEmbedding.from_settings(settings)
        clock = PostgresClock(db)
        await clock.read()
        return PostgresStorage(
            db,
            clock,
            thread_locks,
            settings,
            checkpoints or own,
            store or await store_on(db, wished.store),
            await store_on(documents_db, StoreOptions(index=embedding.index, index_name=embedding.name)),
            embedding.name,
            opened.pop_all(),
            encryption.contexts,
        )


def _version() -> Transition[int]:
    rows = yield "SELECT max(version) FROM schema_version", ()
    version: int = rows[0][0]
    return version
