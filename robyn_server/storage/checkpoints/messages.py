"""LangGraph's serializer of checkpoints, with a short way for lists of LangChain's messages.

A thread's conversation is read once and written twice in every turn, so this is what a turn on a long thread costs.
The bytes are LangGraph's, and so are the objects: fields are taken from `__dict__`, where pydantic keeps them in the
order of its `model_dump`, and are read back through the same validators, only not through four constructors that
hand them on. Whatever is not that simple goes the long way.
"""

from collections.abc import Callable
from typing import Any

import ormsgpack
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage, ToolMessage
from langgraph.checkpoint.serde.jsonplus import EXT_PYDANTIC_V2, JsonPlusSerializer

_MESSAGES: tuple[type[BaseMessage], ...] = (AIMessage, HumanMessage, ToolMessage, SystemMessage)

_PACKING = (
    ormsgpack.OPT_NON_STR_KEYS
    | ormsgpack.OPT_PASSTHROUGH_DATACLASS
    | ormsgpack.OPT_PASSTHROUGH_DATETIME
    | ormsgpack.OPT_PASSTHROUGH_ENUM
    | ormsgpack.OPT_PASSTHROUGH_UUID
    | ormsgpack.OPT_REPLACE_SURROGATES
)
"""As LangGraph's."""

_METHOD = "model_validate_json"
"""What LangGraph writes behind the fields, and nobody reads."""

_HEAD_LENGTH = 1
"""Bytes that say how many members a short array has."""


def _prefix(kind: type[BaseMessage]) -> bytes:
    """How the bytes of a message of this class begin."""
    packed = ormsgpack.packb((kind.__module__, kind.__name__, None, None))
    return packed[: -len(ormsgpack.packb((None, None))) + _HEAD_LENGTH]


_PREFIXES = tuple((_prefix(kind), kind) for kind in _MESSAGES)
_NAMES = {kind: (kind.__module__, kind.__name__) for kind in _MESSAGES}


class MessageSerializer(JsonPlusSerializer):
    """Interchangeable with `JsonPlusSerializer`: each reads what the other has written."""

    def dumps_typed(self, obj: Any) -> tuple[str, bytes]:
        """Type and bytes."""
        if type(obj) is list and obj and all(type(item) in _NAMES for item in obj):
            try:
                return "msgpack", ormsgpack.packb(obj, default=_packed, option=_PACKING)
            except ormsgpack.MsgpackEncodeError:
                pass
        return super().dumps_typed(obj)

    def loads_typed(self, data: tuple[str, bytes]) -> Any:
        """The reverse of `dumps_typed`."""
        kind, packed = data
        if kind != "msgpack":
            return super().loads_typed(data)
        return ormsgpack.unpackb(packed, ext_hook=self._unpacked, option=ormsgpack.OPT_NON_STR_KEYS)

    def _unpacked(self, code: int, data: bytes) -> Any:
        usual: Callable[[int, bytes], Any] = self._unpack_ext_hook
        if code == EXT_PYDANTIC_V2:
            for prefix, kind in _PREFIXES:
                if data.startswith(prefix):
                    return _message(kind, data, usual)
        return usual(code, data)


def _packed(message: BaseMessage) -> ormsgpack.Ext:
    extra = message.__pydantic_extra__
    fields = message.__dict__ | extra if extra else message.__dict__
    content = (*_NAMES[type(message)], fields, _METHOD)
    return ormsgpack.Ext(EXT_PYDANTIC_V2, ormsgpack.packb(content, default=_refused, option=_PACKING))


def _refused(value: Any) -> Any:
    raise TypeError(type(value))


def _message(kind: type[BaseMessage], data: bytes, usual: Callable[[int, bytes], Any]) -> Any:
    fields = ormsgpack.unpackb(data, ext_hook=usual, option=ormsgpack.OPT_NON_STR_KEYS)[2]
    # The one argument that the constructors do not only hand on.
    if "content_blocks" not in fields:
        try:
            return kind.__pydantic_validator__.validate_python(fields, self_instance=kind.__new__(kind))
        except ValueError:
            pass
    return usual(EXT_PYDANTIC_V2, data)
