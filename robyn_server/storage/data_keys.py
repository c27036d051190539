"""Data keys that a project's encryption handlers protect, in a file of their own.

Each start of the server makes a key for each context it meets, and keeps it (wrapped by the handlers) before anything
is sealed with it. The file is not one of the others: a key may be needed in the middle of a transaction there.
"""

import os
import threading
from collections import OrderedDict
from pathlib import Path

import orjson

from robyn_server.storage.cipher import KEY_ID_BYTES, CannotOpen
from robyn_server.storage.encryption_handlers import EncryptionHandlers
from robyn_server.storage.migrations import bring_up_to_date
from robyn_server.storage.sealing_context import SEALING_CONTEXT
from robyn_server.storage.sqlite_db import connect, trouble_as_unavailable

KEYS_FILE = "keys.db"
KEY_BYTES = 32
MOST_CONTEXTS = 4096
"""Contexts whose key is kept at hand; one that comes back later gets another key."""

STEPS = (
    lambda _: (
        "CREATE TABLE data_key (key_id BLOB PRIMARY KEY, context TEXT NOT NULL, wrapped BLOB NOT NULL) WITHOUT ROWID",
    ),
)


class WrappedKeys:
    """`cipher.Keys`, by the context of whoever writes. Raises `StartupError`."""

    may_wait = True

    def __init__(self, data_dir: Path, handlers: EncryptionHandlers) -> None:
        bring_up_to_date(data_dir / KEYS_FILE, STEPS)
        self._handlers = handlers
        self._connection = connect(data_dir / KEYS_FILE, synchronous="FULL")
        self._lock = threading.Lock()
        self._by_context: OrderedDict[str, bytes] = OrderedDict()
        self._fresh: dict[bytes, bytes] = {}

    def is_ready(self, context: str) -> bool:
        """Whether `current` answers at once."""
        return context in self._by_context

    def current(self) -> bytes:
        """See `Keys`; waits for the handlers when the context is new."""
        context = SEALING_CONTEXT.get()
        with self._lock:
            found = self._by_context.get(context)
        return found or self.make(context)

    def make(self, context: str) -> bytes:
        """A new key for a context; its id. Blocks. Raises `Unavailable`."""
        key_id, key = os.urandom(KEY_ID_BYTES), os.urandom(KEY_BYTES)
        wrapped = self._handlers.wrap(key, orjson.loads(context))
        with self._lock:
            self._keep(
                "INSERT INTO data_key(wrapped, key_id, context) VALUES (?, ?, ?)", wrapped, key_id, context
            )
            self._fresh[key_id] = key
            self._by_context[context] = key_id
            while len(self._by_context) > MOST_CONTEXTS:
                _, oldest = self._by_context.popitem(last=False)
                self._fresh.pop(oldest, None)
        return key_id

    def key(self, key_id: bytes) -> bytes:
        """See `Keys`; waits for the handlers for a key of an earlier start."""
        with self._lock:
            if key_id in self._fresh:
                return self._fresh[key_id]
            with trouble_as_unavailable():
                row = self._connection.execute(
                    "SELECT wrapped, context FROM data_key WHERE key_id = ?", (key_id,)
                ).fetchone()
        if row is None:
            raise CannotOpen
        key, replacement = self._handlers.unwrap(row[0], orjson.loads(row[1]))
        if len(key) != KEY_BYTES:
            raise CannotOpen
        if replacement is not None:
            with self._lock:
                self._keep("UPDATE data_key SET wrapped = ? WHERE key_id = ?", replacement, key_id)
        return key

    def close(self) -> None:
        """Let go of the file and end the handlers' thread. May be called twice."""
        with self._lock:
            self._connection.close()
        self._handlers.close()

    def _keep(self, sql: str, *parameters: bytes | str) -> None:
        with trouble_as_unavailable():
            self._connection.execute(sql, parameters)
