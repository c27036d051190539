"""Copies the databases of a data directory while a server works on them."""

import os
import sqlite3
from pathlib import Path

from robyn_server.errors import Unavailable
from robyn_server.storage.checkpoints.sqlite import CHECKPOINTS_FILE
from robyn_server.storage.encryption.data_keys_sqlite import KEYS_FILE
from robyn_server.storage.event_spill import EVENTS_FILE
from robyn_server.storage.migrations import APP_FILE
from robyn_server.storage.store.sql_store import DOCUMENTS_FILE, STORE_FILE

# The rows first: a checkpoint newer than its run's row is what a crash leaves too, and is recovered from. The keys
# last: those of whatever was copied before are among them.
FILES = (APP_FILE, CHECKPOINTS_FILE, STORE_FILE, DOCUMENTS_FILE, EVENTS_FILE, KEYS_FILE)


def back_up(data_dir: Path, target: Path) -> list[Path]:
    """Copy each database into the folder `target` (made if need be; copies of an earlier backup are
    replaced); the copies. Each is consistent in itself. Blocks: call it in a thread. Raises `Unavailable`."""
    try:
        target.mkdir(mode=0o700, parents=True, exist_ok=True)
        if target.resolve() == data_dir.resolve():
            raise Unavailable("A backup cannot be written over the data directory itself.")
        return [_copy(data_dir / name, target / name) for name in FILES if (data_dir / name).exists()]
    except (OSError, sqlite3.Error) as error:
        raise Unavailable(f"The backup to {target} failed: {error}.") from error


def _copy(source: Path, target: Path) -> Path:
    part = target.with_suffix(".part")
    part.unlink(missing_ok=True)
    reader = sqlite3.connect(source, timeout=10)
    writer = sqlite3.connect(part)
    try:
        reader.backup(writer)
    finally:
        writer.close()
        reader.close()
    # A log left by somebody who worked on the old copy must not be taken for one of the new copy.
    for suffix in ("-wal", "-shm"):
        Path(f"{target}{suffix}").unlink(missing_ok=True)
    os.replace(part, target)
    return target
