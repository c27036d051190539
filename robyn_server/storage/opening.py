"""Chooses the database: SQLite in the data directory, or PostgreSQL where settings name one."""

import logging
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from robyn_server.errors import StartupError
from robyn_server.settings import Settings
from robyn_server.storage import migrations, sqlite
from robyn_server.storage.checkpoints.sqlite import CHECKPOINTS_FILE
from robyn_server.storage.checkpoints.sqlite import STEPS as CHECKPOINTS_STEPS
from robyn_server.storage.encryption.data_keys_sqlite import KEYS_FILE
from robyn_server.storage.encryption.data_keys_sqlite import STEPS as KEYS_STEPS
from robyn_server.storage.encryption.opening import NO_ENCRYPTION, Encryption
from robyn_server.storage.interfaces import Storage
from robyn_server.storage.persistence import Persistence
from robyn_server.storage.store.schema import STEPS as STORE_STEPS
from robyn_server.storage.store.sql_store import DOCUMENTS_FILE, STORE_FILE

logger = logging.getLogger(__name__)

FILES: Mapping[str, tuple[migrations.Step, ...]] = {
    migrations.APP_FILE: migrations.STEPS,
    CHECKPOINTS_FILE: CHECKPOINTS_STEPS,
    STORE_FILE: STORE_STEPS,
    DOCUMENTS_FILE: STORE_STEPS,
    KEYS_FILE: KEYS_STEPS,
}
"""The databases of a data directory that have steps."""


async def open_storage(
    settings: Settings,
    persistence: Persistence | None = None,
    encryption: Encryption = NO_ENCRYPTION,
    *,
    shared: bool = False,
) -> Storage:
    """Bring the database up to date and open everything in it, on the running loop; `shared`: other processes work on
    the data directory too (on PostgreSQL they always may). Raises `StartupError`."""
    if encryption.cipher.seals and persistence is not None and persistence.is_custom:
        logger.warning(
            "Encryption does not reach what the project's own checkpointer or store keeps: that has to do it itself"
        )
    if settings.database_uri is None:
        return await sqlite.open_storage(settings, persistence, encryption, shared=shared)
    # The driver costs a tenth of a second and 25 MB, which SQLite does not need.
    from robyn_server.storage import postgres  # noqa: PLC0415

    return await postgres.open_storage(settings, persistence, encryption)


async def migrate(settings: Settings) -> int:
    """Bring the database up to date; how many steps that took. Raises `StartupError`."""
    if settings.database_uri is None:
        return migrations.migrate(settings.data_dir)
    # As above.
    from robyn_server.storage.migrations import postgres  # noqa: PLC0415

    return await postgres.migrate(settings.database_uri)


def schema() -> str:
    """The versions of the databases in a data directory, as this program knows them."""
    return ", ".join(f"{file} {len(steps)}" for file, steps in FILES.items())


def refuse_steps(data_dir: Path) -> None:
    """Raises `StartupError` when a database is not of our version: others work on it, and know another one."""
    for file, steps in FILES.items():
        have = migrations.version_of(data_dir / file)
        if have not in (0, len(steps)):
            raise StartupError(
                f"{data_dir / file} has version {have}, this server knows {len(steps)}, and worker processes use it:"
                " stop them first."
            )


def describe(settings: Settings) -> str:
    """For people, without a password: `SQLite in .data`, `PostgreSQL agents at db.example:5432`."""
    if settings.database_uri is None:
        return f"SQLite in {settings.data_dir}"
    parts = urlsplit(settings.database_uri)
    place = (parts.hostname or "localhost") + (f":{parts.port}" if parts.port else "")
    return f"PostgreSQL {parts.path.strip('/')} at {place}"
