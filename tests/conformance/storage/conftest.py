"""`storage`: an empty one of each kind. Tests in this folder speak of `interfaces.Storage` unless they say so."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from robyn_server.settings import Settings
from robyn_server.storage.cipher import Cipher
from robyn_server.storage.encryption import Encryption
from robyn_server.storage.interfaces import Storage
from robyn_server.storage.sqlite import open_storage
from tests.conformance.storage.queue_scenes import Queue


@pytest.fixture(params=["sqlite"])
async def storage(request: pytest.FixtureRequest, tmp_path: Path, cipher: Cipher) -> AsyncIterator[Storage]:
    opened = await open_storage(
        Settings(data_dir=tmp_path, pending_per_thread=5), encryption=Encryption(cipher)
    )
    yield opened
    await opened.close()


@pytest.fixture
def queue(storage: Storage) -> Queue:
    return Queue(storage)
