"""A storage is closed whole, and once."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from langgraph.store.memory import InMemoryStore
from langgraph_sdk import Encryption as HandlersOfProject
from langgraph_sdk.encryption import LangGraphBetaWarning
from langgraph_sdk.encryption.types import EncryptionContext

from robyn_server.errors import Unavailable
from robyn_server.settings import Settings
from robyn_server.storage.encryption.opening import open_encryption
from robyn_server.storage.named_object import Named
from robyn_server.storage.opening import open_storage
from robyn_server.storage.persistence import Persistence
from tests.postgres_server import PostgresServer


@pytest.fixture(params=["sqlite", "postgres"])
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    if request.param == "sqlite":
        return Settings(data_dir=tmp_path)
    server: PostgresServer = request.getfixturevalue("postgres")
    return Settings(data_dir=tmp_path, database_uri=server.database("closing"))


def handlers() -> HandlersOfProject:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LangGraphBetaWarning)
        found = HandlersOfProject()

    async def turned(ctx: EncryptionContext, blob: bytes) -> bytes:
        return blob[::-1]

    found.encrypt.blob(turned)
    found.decrypt.blob(turned)
    return found


@contextmanager
def store_that_ends_badly() -> Iterator[InMemoryStore]:
    yield InMemoryStore()
    raise ConnectionError("the store was gone already")


async def test_what_a_projects_part_raises_at_its_end_keeps_nothing_open(settings: Settings) -> None:
    part = Named('"store.path" in langgraph.json', store_that_ends_badly)
    storage = await open_storage(settings, Persistence(custom_store=part))
    await storage.ready()
    with pytest.raises(ConnectionError, match="gone already"):
        await storage.close()
    with pytest.raises(Unavailable, match="closed"):
        await storage.ready()


async def test_it_may_be_closed_twice(settings: Settings) -> None:
    storage = await open_storage(settings, encryption=open_encryption(settings, handlers()))
    await storage.documents.aput(("a",), "k", {"content": "x"})
    await storage.close()
    await storage.close()
    with pytest.raises(Unavailable, match="closed"):
        await storage.ready()
