"""Data keys in a table beside the data, which every server on the database reads."""

import threading
from typing import Any

import psycopg

from robyn_server.storage.postgres_connection import conninfo, trouble_as_domain_error

TABLES = (
    "CREATE TABLE data_key (key_id BYTEA PRIMARY KEY, context TEXT NOT NULL, wrapped BYTEA NOT NULL)",
    # At most one row: what all servers agree on, see key_check_postgres.py.
    "CREATE TABLE sealed_with (one BOOLEAN PRIMARY KEY DEFAULT true CHECK (one), canary BYTEA NOT NULL)",
)


class PostgresKeyRows:
    """`data_keys.KeyRows`, on a connection of its own that is opened when it is needed first."""

    def __init__(self, uri: str) -> None:
        self._conninfo = conninfo(uri)
        self._lock = threading.Lock()
        self._connection: psycopg.Connection[tuple[Any, ...]] | None = None

    def keep(self, key_id: bytes, context: str, wrapped: bytes) -> None:
        """See `KeyRows`."""
        # Said twice when the connection broke before the answer came.
        self._execute(
            "INSERT INTO data_key(key_id, context, wrapped) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING",
            key_id,
            context,
            wrapped,
        )

    def find(self, key_id: bytes) -> tuple[bytes, str] | None:
        """See `KeyRows`."""
        rows = self._execute("SELECT wrapped, context FROM data_key WHERE key_id = %s", key_id)
        return (rows[0][0], rows[0][1]) if rows else None

    def replace(self, key_id: bytes, wrapped: bytes) -> None:
        """See `KeyRows`."""
        self._execute("UPDATE data_key SET wrapped = %s WHERE key_id = %s", wrapped, key_id)

    def close(self) -> None:
        """See `KeyRows`."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def _execute(self, sql: str, *parameters: bytes | str) -> list[tuple[Any, ...]]:
        with self._lock, trouble_as_domain_error():
            if self._connection is not None:
                try:
                    return self._once(self._connection, sql, parameters)
                except psycopg.OperationalError:
                    # The database was restarted, or this connection was idle for too long.
                    self._connection.close()
            self._connection = psycopg.connect(self._conninfo, autocommit=True)
            return self._once(self._connection, sql, parameters)

    @staticmethod
    def _once(
        connection: psycopg.Connection[tuple[Any, ...]], sql: str, parameters: tuple[bytes | str, ...]
    ) -> list[tuple[Any, ...]]:
        cursor = connection.execute(sql.encode(), parameters)
        return cursor.fetchall() if cursor.description else []
