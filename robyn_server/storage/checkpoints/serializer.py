"""How values of a graph's state become bytes and values again, and how these are sealed."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from langgraph.checkpoint.serde.base import CipherProtocol, SerializerProtocol
from langgraph.checkpoint.serde.encrypted import EncryptedSerializer
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

from robyn_server.errors import StartupError
from robyn_server.resources.types import Json
from robyn_server.storage.checkpoints.messages import MessageSerializer
from robyn_server.storage.checkpoints.values import SEALED
from robyn_server.storage.encryption.cipher import Cipher

ALLOWED = ("allowed_json_modules", "allowed_msgpack_modules")


@dataclass(frozen=True, slots=True)
class SerdeOptions:
    """The section `checkpointer.serde` of langgraph.json. With `pickle_fallback` a value that msgpack refuses is
    pickled. `allowed` has what was said of `allowed_json_modules` and `allowed_msgpack_modules`, by these names: True,
    or the types that may be loaded, each as the parts of its dotted name; None for none but those that are always
    safe."""

    pickle_fallback: bool = True
    allowed: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def from_config(
        cls, section: Mapping[str, Json], pickle_fallback: bool | None, place: str = "langgraph.json"
    ) -> "SerdeOptions":
        """`pickle_fallback` of the environment wins. Raises `StartupError`."""
        wished = section.get("pickle_fallback")
        if not isinstance(wished, bool | None):
            raise StartupError(
                f'"checkpointer.serde.pickle_fallback" in {place} must be true or false: correct it.'
            )
        if pickle_fallback is None:
            pickle_fallback = True if wished is None else wished
        given = {name: section[name] for name in ALLOWED if name in section}
        return cls(pickle_fallback, {name: _allowed(value, name, place) for name, value in given.items()})


def checkpoint_serializer(options: SerdeOptions | None = None) -> SerializerProtocol:
    """The serializer of checkpoints: LangGraph's default, quicker with messages. It loads the types of the graphs' own
    state (dataclasses, pydantic models).

    With `pickle_fallback` a value that msgpack refuses, such as a class or a data frame, is pickled, so that a
    run that holds one goes on as it does on the reference. Whoever can write to the database could then run code
    in this process; only our own database is ever unpickled. Without it such a run fails.

    No allow-list is set by default, because only the graphs know their types. An operator who wants one names the
    types, or sets `LANGGRAPH_STRICT_MSGPACK=true`: LangGraph then allows the types that the graph's schema names,
    through `with_allowlist`. The default's warning, once for each such type, is left out of the log: it tells the
    operator to do what only the graph's author could.
    """
    options = options or SerdeOptions()
    logging.getLogger(JsonPlusSerializer.__module__).addFilter(_is_not_unregistered_type)
    return MessageSerializer(pickle_fallback=options.pickle_fallback, **options.allowed)


def sealing_serializer(serializer: SerializerProtocol, cipher: Cipher) -> SerializerProtocol:
    """For a saver that knows of no cipher: what it gets is sealed, as `values.sealed_value` does it. Values
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


def _allowed(value: Json, name: str, place: str) -> Any:
    if value is True or not value:
        return value or None
    if isinstance(value, list) and all(_is_type(one) for one in value):
        return [tuple(one) for one in value]
    raise StartupError(
        f'"checkpointer.serde.{name}" in {place} must be true or a list of types such as ["my_agent", "SomeType"]:'
        " correct it."
    )


def _is_type(value: Json) -> bool:
    return isinstance(value, list) and len(value) > 1 and all(isinstance(part, str) for part in value)


def _is_not_unregistered_type(record: logging.LogRecord) -> bool:
    return not str(record.msg).startswith("Deserializing unregistered type")
