"""How values of a graph's state become bytes and values again, and how these are sealed."""

import logging

from langgraph.checkpoint.serde.base import CipherProtocol, SerializerProtocol
from langgraph.checkpoint.serde.encrypted import EncryptedSerializer
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

from robyn_server.storage.checkpoint_values import SEALED
from robyn_server.storage.cipher import Cipher


def sealing_serializer(serializer: SerializerProtocol, cipher: Cipher) -> SerializerProtocol:
    """For a saver that knows of no cipher: what it gets is sealed, as `checkpoint_values.sealed_value` does it. Values
    from before encryption are read as well."""
    return EncryptedSerializer(_Sealing(cipher), serializer) if cipher.seals else serializer


class _Sealing(CipherProtocol):
    def __init__(self, cipher: Cipher) -> None:
        self._cipher = cipher

    def encrypt(self, plaintext: bytes) -> tuple[str, bytes]:
        """See `CipherProtocol`."""
        return SEALED[1:], self._cipher.seal(plaintext)

    def decrypt(self, ciphername: str, ciphertext: bytes) -> bytes:
        """See `CipherProtocol`."""
        return self._cipher.open(ciphertext)


def checkpoint_serializer(pickle_fallback: bool = True) -> SerializerProtocol:
    """The serializer of checkpoints: LangGraph's default, which loads the types of the graphs' own state
    (dataclasses, pydantic models).

    With `pickle_fallback` a value that msgpack refuses, such as a class or a data frame, is pickled, so that a
    run that holds one goes on as it does on the reference. Whoever can write to the database could then run code
    in this process; only our own database is ever unpickled. Without it such a run fails.

    No allow-list is set, because only the graphs know their types. An operator who wants one sets
    `LANGGRAPH_STRICT_MSGPACK=true`: LangGraph then allows the types that the graph's schema names, through
    `with_allowlist`. The default's warning, once for each such type, is left out of the log: it tells the
    operator to do what only the graph's author could.
    """
    logging.getLogger(JsonPlusSerializer.__module__).addFilter(_is_not_unregistered_type)
    return JsonPlusSerializer(pickle_fallback=pickle_fallback)


def _is_not_unregistered_type(record: logging.LogRecord) -> bool:
    return not str(record.msg).startswith("Deserializing unregistered type")
