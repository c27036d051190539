"""LangGraph's own suite for checkpoint savers, on ours."""

from collections.abc import AsyncGenerator
from itertools import count
from pathlib import Path

from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.conformance import validate
from langgraph.checkpoint.conformance.capabilities import ALL_CAPABILITIES
from langgraph.checkpoint.conformance.initializer import RegisteredCheckpointer

from robyn_server.settings import Settings
from robyn_server.storage import postgres as on_postgres
from robyn_server.storage.checkpoints.sqlite import open_checkpoints
from robyn_server.storage.encryption.cipher import Cipher
from robyn_server.storage.encryption.opening import Encryption
from tests.postgres_server import PostgresServer


async def test_sqlite_saver(tmp_path: Path, cipher: Cipher) -> None:
    folders = (tmp_path / str(number) for number in count())

    async def fresh() -> AsyncGenerator[BaseCheckpointSaver[str], None]:
        folder = next(folders)
        folder.mkdir()
        checkpoints = await open_checkpoints(folder, cipher=cipher)
        yield checkpoints.saver()
        await checkpoints.close()

    report = await validate(RegisteredCheckpointer("SqliteSaver", fresh))
    failures = {name: result.failures for name, result in report.results.items() if not result.passed}
    assert not failures
    assert set(report.results) == {capability.value for capability in ALL_CAPABILITIES}


async def test_postgres_saver(postgres: PostgresServer, cipher: Cipher) -> None:
    settings = Settings(database_uri=postgres.database("checkpoints"))

    async def fresh() -> AsyncGenerator[BaseCheckpointSaver[str], None]:
        storage = await on_postgres.open_storage(settings, encryption=Encryption(cipher))
        yield storage.checkpoints.saver()
        await storage.close()

    report = await validate(RegisteredCheckpointer("PostgresSaver", fresh))
    failures = {name: result.failures for name, result in report.results.items() if result.passed is False}
    assert not failures
    # The library has no copy and no deletion by run: those are `PostgresCheckpoints`.
    missing = {name for name, result in report.results.items() if result.passed is None}
    assert missing == {"copy_thread", "delete_for_runs"}
    assert set(report.results) == {capability.value for capability in ALL_CAPABILITIES}
