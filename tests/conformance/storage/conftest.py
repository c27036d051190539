"""`storage`: an empty one of each kind. Tests in this folder speak of `interfaces.Storage` unless they say so."""

import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from robyn_server.settings import Settings
from robyn_server.storage import postgres as on_postgres
from robyn_server.storage import sqlite as on_sqlite
from robyn_server.storage.encryption.cipher import CLEAR, AesGcm, DerivedKeys
from robyn_server.storage.encryption.opening import Encryption
from robyn_server.storage.interfaces import Storage
from tests.conformance.storage.queue_scenes import Queue
from tests.postgres_server import PostgresServer, with_pgvector

EMPTY = """DO $$ BEGIN EXECUTE (
    SELECT 'TRUNCATE ' || string_agg(format('%I.%I', schemaname, tablename), ', ') || ' RESTART IDENTITY'
    FROM pg_tables WHERE schemaname IN ('public', 'robyn_documents')
    AND tablename NOT LIKE '%schema_version' AND tablename NOT LIKE '%migrations');
END $$"""


@pytest.fixture(scope="session")
def database(postgres: PostgresServer) -> str:
    """The address of a database that the tests of this folder share, each on empty tables."""
    return postgres.database("conformance")


@pytest.fixture(scope="session")
def pgvector() -> Iterator[PostgresServer]:
    """A PostgreSQL with the extension."""
    folder = Path(tempfile.mkdtemp(prefix="pgvector-"))
    found = with_pgvector(folder)
    if found is None:
        missing = (
            "There is no pgvector (on Debian: apt-get install postgresql-17-pgvector, or as your version is)"
        )
        if os.environ.get("CI"):
            pytest.fail(missing)
        pytest.skip(missing)
    server = PostgresServer(found=found)
    yield server.start()
    server.end()
    shutil.rmtree(folder)


@pytest.fixture(params=["sqlite", "sqlite sealed", "postgres", "postgres sealed"])
async def storage(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Storage]:
    sealed = request.param.endswith(" sealed")
    encryption = Encryption(AesGcm(DerivedKeys(bytes(32))) if sealed else CLEAR)
    opened: Storage
    if request.param.startswith("postgres"):
        opened = await on_postgres.open_storage(empty_database(request, tmp_path), encryption=encryption)
    else:
        settings = Settings(data_dir=tmp_path, pending_per_thread=5)
        opened = await on_sqlite.open_storage(settings, encryption=encryption)
    yield opened
    await opened.close()


def empty_database(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    """Settings of a storage on PostgreSQL with empty tables."""
    uri: str = request.getfixturevalue("database")
    server: PostgresServer = request.getfixturevalue("postgres")
    if server.execute("SELECT 1 FROM pg_tables WHERE tablename = 'schema_version'", "conformance"):
        server.execute(EMPTY, "conformance")
    return Settings(data_dir=tmp_path, pending_per_thread=5, database_uri=uri)


@pytest.fixture
def queue(storage: Storage) -> Queue:
    return Queue(storage)
