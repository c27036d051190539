"""Encryption as the operator wants it: a key, a project's own handlers, or none."""

import asyncio
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass, replace

import orjson

from robyn_server.errors import StartupError, Unprocessable
from robyn_server.resources.caller import Caller
from robyn_server.resources.types import JsonObject
from robyn_server.resources.user import User
from robyn_server.settings import Settings
from robyn_server.storage.encryption.cipher import CLEAR, AesGcm, Cipher, DerivedKeys
from robyn_server.storage.encryption.context import SEALING_CONTEXT
from robyn_server.storage.encryption.data_keys import KeyRows, WrappedKeys
from robyn_server.storage.encryption.data_keys_sqlite import SqliteKeyRows
from robyn_server.storage.encryption.handlers import EncryptionHandlers
from robyn_server.storage.interfaces import SealingContexts

CONTEXT_HEADER = "x-encryption-context"


class HandlerContexts:
    """`interfaces.SealingContexts`, over a project's handlers."""

    def __init__(self, keys: WrappedKeys, handlers: EncryptionHandlers) -> None:
        self._keys = keys
        self._handlers = handlers

    async def admitted(self, caller: Caller, headers: Mapping[str, str]) -> Caller:
        """See `SealingContexts`."""
        user = User(caller.user or {"identity": caller.identity, "is_authenticated": bool(caller.identity)})
        context = await self._handlers.context_of(user, _given(headers.get(CONTEXT_HEADER)))
        await self.enter(context)
        return replace(caller, encryption_context=context)

    async def enter(self, context: JsonObject | None) -> None:
        """See `SealingContexts`."""
        await self.enter_again(orjson.dumps(context or {}, option=orjson.OPT_SORT_KEYS).decode())

    async def enter_again(self, text: str) -> None:
        """See `SealingContexts`."""
        if not self._keys.is_ready(text):
            await asyncio.to_thread(self._keys.make, text)
        SEALING_CONTEXT.set(text)

    async def close(self) -> None:
        """See `SealingContexts`."""
        await asyncio.to_thread(self._keys.close)


@dataclass(frozen=True, slots=True)
class Encryption:
    """What seals, and whose data it seals where that makes a difference."""

    cipher: Cipher = CLEAR
    contexts: SealingContexts | None = None


NO_ENCRYPTION = Encryption()


def open_encryption(
    settings: Settings, handlers: object | None = None, place: str = "langgraph.json"
) -> Encryption:
    """`handlers`: the object that `encryption.path` in `place` names. The data directory exists. Raises
    `StartupError`."""
    if handlers is None:
        return (
            NO_ENCRYPTION if settings.aes_key is None else Encryption(AesGcm(DerivedKeys(settings.aes_key)))
        )
    if settings.aes_key is not None:
        raise StartupError(
            f"LANGGRAPH_AES_KEY and encryption.path of {place} are two ways to encrypt: keep the one that the"
            " data were encrypted with."
        )
    own = EncryptionHandlers(handlers, place)
    keys = WrappedKeys(_key_rows(settings), own)
    return Encryption(AesGcm(keys), HandlerContexts(keys, own))


def _key_rows(settings: Settings) -> KeyRows:
    if settings.database_uri is None:
        return SqliteKeyRows(settings.data_dir)
    # The driver costs a tenth of a second and 25 MB, which SQLite does not need.
    from robyn_server.storage.encryption.data_keys_postgres import PostgresKeyRows  # noqa: PLC0415

    return PostgresKeyRows(settings.database_uri)


def _given(header: str | None) -> JsonObject:
    """A JSON object, in base64 or as it is."""
    if not header:
        return {}
    try:
        found = orjson.loads(header if header.startswith("{") else b64decode(header))
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise Unprocessable("X-Encryption-Context must be a JSON object in base64.")
    return found
