"""Data keys that a project's encryption handlers protect.

Each start of the server makes a key for each context it meets, and keeps it (wrapped by the handlers) before anything
is sealed with it. No two processes ever seal with one key, but each opens what any other has sealed.
"""

import os
import threading
from collections import OrderedDict
from typing import Protocol

import orjson

from robyn_server.storage.encryption.cipher import KEY_ID_BYTES, CannotOpen
from robyn_server.storage.encryption.context import SEALING_CONTEXT
from robyn_server.storage.encryption.handlers import EncryptionHandlers

KEY_BYTES = 32
MOST_CONTEXTS = 4096
"""Contexts whose key is kept at hand; one that comes back later gets another key."""


class KeyRows(Protocol):
    """Where wrapped keys are kept, beside the data: a key may be needed in the middle of a transaction there. May be
    used from any thread; all methods block, and raise `Unavailable`."""

    def keep(self, key_id: bytes, context: str, wrapped: bytes) -> None:
        """A new key; when this returns, it is on the disk."""

    def find(self, key_id: bytes) -> tuple[bytes, str] | None:
        """The wrapped key, and its context."""

    def replace(self, key_id: bytes, wrapped: bytes) -> None:
        """Another wrapping of a key."""

    def close(self) -> None:
        """May be called twice."""


class WrappedKeys:
    """`cipher.Keys`, by the context of whoever writes."""

    may_wait = True

    def __init__(self, rows: KeyRows, handlers: EncryptionHandlers) -> None:
        self._rows = rows
        self._handlers = handlers
        self._lock = threading.Lock()
        self._by_context: OrderedDict[str, bytes] = OrderedDict()
        self._fresh: dict[bytes, bytes] = {}

    def is_ready(self, context: str) -> bool:
        """Whether `current` answers at once."""
        return context in self._by_context

    def current(self) -> bytes:
        """See `Keys`; waits for the handlers when the context is new."""
        context = SEALING_CONTEXT.get()
        return self._by_context.get(context) or self.make(context)

    def make(self, context: str) -> bytes:
        """A new key for a context; its id. Blocks. Raises `Unavailable`."""
        key_id, key = os.urandom(KEY_ID_BYTES), os.urandom(KEY_BYTES)
        self._rows.keep(key_id, context, self._handlers.wrap(key, orjson.loads(context)))
        with self._lock:
            self._fresh[key_id] = key
            self._by_context[context] = key_id
            while len(self._by_context) > MOST_CONTEXTS:
                _, oldest = self._by_context.popitem(last=False)
                self._fresh.pop(oldest, None)
        return key_id

    def key(self, key_id: bytes) -> bytes:
        """See `Keys`; waits for the handlers for a key of an earlier start, or of another server."""
        fresh = self._fresh.get(key_id)
        if fresh is not None:
            return fresh
        row = self._rows.find(key_id)
        if row is None:
            raise CannotOpen
        key, replacement = self._handlers.unwrap(row[0], orjson.loads(row[1]))
        if len(key) != KEY_BYTES:
            raise CannotOpen
        if replacement is not None:
            self._rows.replace(key_id, replacement)
        return key

    def close(self) -> None:
        """Let go of the rows and end the handlers' thread. May be called twice."""
        self._rows.close()
        self._handlers.close()
