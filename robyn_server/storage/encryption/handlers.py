"""A project's own encryption: the `langgraph_sdk.Encryption` object that `encryption.path` of langgraph.json names.

Its handlers protect data keys; the data are sealed with these. So the handlers' key service is asked once for each key
and not for each row, and rows can be written and read where there is no event loop.
"""

import asyncio
import logging
import threading
from collections.abc import Coroutine
from typing import Any

import orjson
from langgraph_sdk import Encryption
from langgraph_sdk.encryption.types import DecryptResult, EncryptionContext

from robyn_server.errors import StartupError, Unavailable
from robyn_server.resources.types import JsonObject
from robyn_server.resources.user import User
from robyn_server.storage.encryption.cipher import CannotOpen

logger = logging.getLogger(__name__)

PATIENCE = 10.0
"""Seconds that a handler may take."""

MODEL = "data_key"
"""`ctx.model` of every call, and the one key of what JSON handlers are given."""


class EncryptionHandlers:
    """Calls the handlers, always on one event loop with a thread of its own: whoever writes or reads a row may wait
    for them, and what they keep open (an HTTP client) stays with its loop. Blob handlers are used where there are
    some, else those for JSON. Raises `StartupError`, which names `place`, when the object cannot serve."""

    def __init__(self, found: object, place: str) -> None:
        if not isinstance(found, Encryption):
            raise StartupError(
                f"encryption.path of {place} must name a langgraph_sdk.Encryption object, not"
                f" {type(found).__name__}."
            )
        kinds = [kind for kind in ("blob", "json") if _handler(found, f"{kind}_encryptor")]
        if not kinds:
            raise StartupError(
                f"The Encryption object of {place} has no @encryption.encrypt.blob handler: add one, and"
                " @encryption.decrypt.blob."
            )
        self._kind = kinds[0]
        self._encrypt = _handler(found, f"{self._kind}_encryptor")
        self._decrypt = _handler(found, f"{self._kind}_decryptor")
        self._context = _handler(found, "context_handler")
        if self._decrypt is None:
            raise StartupError(
                f"The Encryption object of {place} has no @encryption.decrypt.{self._kind} handler: add one."
            )
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self._loop.run_forever, name="encryption-handlers", daemon=True
        )
        self._thread.start()

    def wrap(self, key: bytes, context: JsonObject) -> bytes:
        """A data key as it is stored. Blocks. Raises `Unavailable`."""
        plain: Any = key if self._kind == "blob" else {MODEL: key.hex()}
        wrapped = self._call(self._encrypt(_for_handlers(context), plain))
        # A handler for JSON may leave keys alone that it does not know.
        if wrapped == plain or not isinstance(wrapped, type(plain)):
            raise Unavailable("The project's encryption handler gave its data back as they were.")
        return wrapped if isinstance(wrapped, bytes) else orjson.dumps(wrapped)

    def unwrap(self, stored: bytes, context: JsonObject) -> tuple[bytes, bytes | None]:
        """A data key, and what shall be stored in the place of what is, if anything. Blocks. Raises `CannotOpen`."""
        try:
            given: Any = stored if self._kind == "blob" else orjson.loads(stored)
            found = self._call(self._decrypt(_for_handlers(context), given))
            replacement = None
            if isinstance(found, DecryptResult):
                found, replacement = found.plaintext, found.replacement
            if self._kind == "blob":
                return bytes(found), replacement
            return bytes.fromhex(found[MODEL]), None if replacement is None else orjson.dumps(replacement)
        except (Unavailable, ValueError, TypeError, KeyError) as error:
            # Other handlers than those that wrapped it may give anything.
            raise CannotOpen from error

    async def context_of(self, user: User, given: JsonObject) -> JsonObject:
        """What the handlers shall know of a request: what its header says, or what the project makes of that. Raises
        `Unavailable`."""
        if self._context is None:
            return given
        asked = self._context(user, _for_handlers(given, model=None))
        return dict(await asyncio.to_thread(self._call, asked))

    def close(self) -> None:
        """End the thread. May be called twice."""
        if self._loop.is_closed():
            return
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _call(self, call: Coroutine[Any, Any, Any]) -> Any:
        try:
            return asyncio.run_coroutine_threadsafe(call, self._loop).result(PATIENCE)
        except Exception as error:  # a project's handler may raise anything
            logger.exception("An encryption handler failed")
            raise Unavailable("The project's encryption failed.") from error


def _handler(found: Encryption, name: str) -> Any:
    # The SDK has no public name for these.
    return getattr(found, f"_{name}")


def _for_handlers(context: JsonObject, model: str | None = MODEL) -> EncryptionContext:
    return EncryptionContext(model=model, field=None, metadata=dict(context))
