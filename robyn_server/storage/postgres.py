"""Opens storage on PostgreSQL: every part, on one pool."""

import asyncio
from contextlib import AsyncExitStack

from robyn_server.errors import NotSupported
from robyn_server.settings import Settings
from robyn_server.storage.assistants import AssistantTable
from robyn_server.storage.checkpoint_serializer import checkpoint_serializer, sealing_serializer
from robyn_server.storage.checkpoints_postgres import PostgresCheckpoints
from robyn_server.storage.crons import CronTable
from robyn_server.storage.db import Transition
from robyn_server.storage.dialect_postgres import PostgresDialect
from robyn_server.storage.document_embedding import DocumentEmbedding
from robyn_server.storage.encryption import NO_ENCRYPTION, Encryption
from robyn_server.storage.key_check_postgres import check_key
from robyn_server.storage.migrations.postgres import DOCUMENTS_SCHEMA, migrate
from robyn_server.storage.migrations.vectors import open_vectors
from robyn_server.storage.postgres_db import Pool, PostgresDb, open_pool, place_of
from robyn_server.storage.run_queue import SqlRunQueue
from robyn_server.storage.runs import RunTable
from robyn_server.storage.store import SqlStore, StoreOptions
from robyn_server.storage.threads import ThreadTable


class PostgresStorage:
    """`interfaces.Storage`."""

    shared = True

    def __init__(
        self,
        pool: Pool,
        settings: Settings,
        options: StoreOptions,
        encryption: Encryption = NO_ENCRYPTION,
        vectors: str | None = None,
    ) -> None:
        """`vectors`: see `Dialect`."""
        assert settings.database_uri is not None, "PostgreSQL was asked for"
        cipher = encryption.cipher
        dialect = PostgresDialect(cipher, vectors)
        self.contexts = encryption.contexts
        self.is_sealed = cipher.seals
        self._db = PostgresDb(pool, settings.database_uri, dialect)
        self.assistants = AssistantTable(self._db)
        self.threads = ThreadTable(self._db)
        self.runs = RunTable(self._db)
        self.queue = SqlRunQueue(self._db, settings.pending_per_thread)
        self.crons = CronTable(self._db)
        serializer = sealing_serializer(checkpoint_serializer(settings.checkpoint_pickle_fallback), cipher)
        self.checkpoints = PostgresCheckpoints(pool, self._db, serializer)
        self.store = SqlStore(self._db, options)
        self._documents_db = PostgresDb(pool, settings.database_uri, dialect, DOCUMENTS_SCHEMA)
        embedding = DocumentEmbedding.from_settings(settings)
        self.documents = SqlStore(self._documents_db, StoreOptions(index=embedding.index))
        self.embedder = embedding.name
        self.description = f"PostgreSQL {place_of(settings.database_uri)}"

    async def sweep_store(self) -> int:
        """See `Storage`."""
        return await self.store.sweep()

    async def ready(self) -> None:
        """See `Storage`."""
        await self._db.read(_version)

    async def backup(self, target: str) -> None:
        """See `Storage`. Raises `NotSupported`."""
        raise NotSupported("The data is in PostgreSQL: back it up with pg_dump.")

    async def close(self) -> None:
        """See `Storage`. May be called twice."""
        await self._documents_db.settle()
        await self._db.close()
        if self.contexts is not None:
            await self.contexts.close()


async def open_storage(
    settings: Settings, store: StoreOptions | None = None, encryption: Encryption = NO_ENCRYPTION
) -> PostgresStorage:
    """Bring the database `settings.database_uri` up to date and open everything in it, on the running loop. Raises
    `StartupError`, also when the encryption is not that of the data."""
    assert settings.database_uri is not None, "PostgreSQL was asked for"
    await migrate(settings.database_uri)
    await asyncio.to_thread(check_key, settings.database_uri, encryption.cipher)
    options, vectors = store or StoreOptions(), None
    # Sealed vectors mean nothing to the database.
    if not encryption.cipher.seals:
        vectors = await open_vectors(settings.database_uri, needed=options.index is not None)
    async with AsyncExitStack() as opened:
        pool = await open_pool(settings.database_uri, settings.database_connections)
        opened.push_async_callback(pool.close)
        storage = PostgresStorage(pool, settings, options, encryption, vectors)
        opened.pop_all()
    return storage


def _version() -> Transition[int]:
    rows = yield "SELECT max(version) FROM schema_version", ()
    version: int = rows[0][0]
    return version
