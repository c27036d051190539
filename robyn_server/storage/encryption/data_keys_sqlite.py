"""Data keys in a file of their own in the data directory."""

import threading
from pathlib import Path

from robyn_server.storage.migrations import bring_up_to_date
from robyn_server.storage.sqlite_connection import connect, trouble_as_unavailable

KEYS_FILE = "keys.db"

STEPS = (
    lambda _: (
        "CREATE TABLE data_key (key_id BLOB PRIMARY KEY, context TEXT NOT NULL, wrapped BLOB NOT NULL) WITHOUT ROWID",
    ),
)


class SqliteKeyRows:
    """`data_keys.KeyRows`. Raises `StartupError`."""

    def __init__(self, data_dir: Path) -> None:
        bring_up_to_date(data_dir / KEYS_FILE, STEPS)
        self._connection = connect(data_dir / KEYS_FILE, synchronous="FULL")
        self._lock = threading.Lock()

    def keep(self, key_id: bytes, context: str, wrapped: bytes) -> None:
        """See `KeyRows`."""
        self._execute(
            "INSERT INTO data_key(key_id, context, wrapped) VALUES (?, ?, ?)", key_id, context, wrapped
        )

    def find(self, key_id: bytes) -> tuple[bytes, str] | None:
        """See `KeyRows`."""
        rows = self._execute("SELECT wrapped, context FROM data_key WHERE key_id = ?", key_id)
        return rows[0] if rows else None

    def replace(self, key_id: bytes, wrapped: bytes) -> None:
        """See `KeyRows`."""
        self._execute("UPDATE data_key SET wrapped = ? WHERE key_id = ?", wrapped, key_id)

    def close(self) -> None:
        """See `KeyRows`."""
        with self._lock:
            self._connection.close()

    def _execute(self, sql: str, *parameters: bytes | str) -> list[tuple[bytes, str]]:
        with self._lock, trouble_as_unavailable():
            return self._connection.execute(sql, parameters).fetchall()
