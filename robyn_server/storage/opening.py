"""Chooses the database: SQLite in the data directory, or PostgreSQL where settings name one."""

import logging
from urllib.parse import urlsplit

from robyn_server.settings import Settings
from robyn_server.storage import migrations, sqlite
from robyn_server.storage.encryption import NO_ENCRYPTION, Encryption
from robyn_server.storage.interfaces import Storage
from robyn_server.storage.persistence import Persistence

logger = logging.getLogger(__name__)


async def open_storage(
    settings: Settings, persistence: Persistence | None = None, encryption: Encryption = NO_ENCRYPTION
) -> Storage:
    """Bring the database up to date and open everything in it, on the running loop. Raises `StartupError`."""
    if encryption.cipher.seals and persistence is not None and persistence.is_custom:
        logger.warning(
            "Encryption does not reach what the project's own checkpointer or store keeps: that has to do it itself"
        )
    if settings.database_uri is None:
        return await sqlite.open_storage(settings, persistence, encryption)
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


def describe(settings: Settings) -> str:
    """For people, without a password: `SQLite in .data`, `PostgreSQL agents at db.example:5432`."""
    if settings.database_uri is None:
        return f"SQLite in {settings.data_dir}"
    parts = urlsplit(settings.database_uri)
    place = (parts.hostname or "localhost") + (f":{parts.port}" if parts.port else "")
    return f"PostgreSQL {parts.path.strip('/')} at {place}"
