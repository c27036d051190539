"""Opens storage on PostgreSQL: every part, on one pool."""

from contextlib import AsyncExitStack
from datetime import datetime

from robyn_server.errors import NotSupported
from robyn_server.settings import Settings
from robyn_server.storage.assistants import AssistantTable
from robyn_server.storage.checkpoint_serializer import checkpoint_serializer
from robyn_server.storage.checkpoints_postgres import PostgresCheckpoints
from robyn_server.storage.crons import CronTable
from robyn_server.storage.db import Transition
from robyn_server.storage.document_embedding import DocumentEmbedding
from robyn_server.storage.migrations.postgres import DOCUMENTS_SCHEMA, migrate
from robyn_server.storage.postgres_clock import PostgresClock
from robyn_server.storage.postgres_db import Pool, PostgresDb, open_pool, place_of
from robyn_server.storage.run_queue import SqlRunQueue
from robyn_server.storage.runs import RunTable
from robyn_server.storage.store import SqlStore, StoreOptions
from robyn_server.storage.thread_locks_postgres import PostgresThreadLocks
from robyn_server.storage.threads import ThreadTable


class PostgresStorage:
    """`interfaces.Storage`."""

    shared = True
    contexts = None
    is_sealed = False

    def __init__(self, pool: Pool, settings: Settings, options: StoreOptions) -> None:
        assert settings.database_uri is not None, "PostgreSQL was asked for"
        self._db = PostgresDb(pool, settings.database_uri)
        self.assistants = AssistantTable(self._db)
        self.threads = ThreadTable(self._db)
        self.runs = RunTable(self._db)
        self.queue = SqlRunQueue(self._db, settings.pending_per_thread)
        self.crons = CronTable(self._db)
        serializer = checkpoint_serializer(settings.checkpoint_pickle_fallback)
        self.checkpoints = PostgresCheckpoints(pool, self._db, serializer)
        self.store = SqlStore(self._db, options)
        self._clock = PostgresClock(self._db)
        self.thread_locks = PostgresThreadLocks(settings.database_uri)
        self._documents_db = PostgresDb(pool, settings.database_uri, DOCUMENTS_SCHEMA)
        embedding = DocumentEmbedding.from_settings(settings)
        self.documents = SqlStore(self._documents_db, StoreOptions(index=embedding.index))
        self.embedder = embedding.name
        self.description = f"PostgreSQL {place_of(settings.database_uri)}"

    def now(self) -> datetime:
        """See `Storage`."""
        return self._clock.now()

    async def read_clock(self) -> None:
        """See `Storage`."""
        await self._clock.read()

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
        await self.thread_locks.close()
        await self._documents_db.settle()
        await self._db.close()


async def open_storage(settings: Settings, store: StoreOptions | None = None) -> PostgresStorage:
    """Bring the database `settings.database_uri` up to date and open everything in it, on the running loop. Raises
    `StartupError`."""
    assert settings.database_uri is not None, "PostgreSQL was asked for"
    await migrate(settings.database_uri)
    async with AsyncExitStack() as opened:
        pool = await open_pool(settings.database_uri, settings.database_connections)
        opened.push_async_callback(pool.close)
        storage = PostgresStorage(pool, settings, store or StoreOptions())
        await storage.read_clock()
        opened.pop_all()
    return storage


def _version() -> Transition[int]:
    rows = yield "SELECT max(version) FROM schema_version", ()
    version: int = rows[0][0]
    return version
