"""The one JSON encoder for what graphs produce: LangChain messages, pydantic models, dataclasses, dates,
sets...

Messages of exactly LangChain's own classes are read field by field and not through `model_dump`: pydantic
keeps the fields of an instance, in the order of declaration, in its `__dict__`, and `model_dump` of these
classes says no more than that. A test compares the two for every class.
"""

import dataclasses
import re
from base64 import b64encode
from collections import OrderedDict, deque
from collections.abc import Callable, Mapping
from datetime import date, time, timedelta
from decimal import Decimal
from enum import Enum
from ipaddress import (
    IPv4Address,
    IPv4Interface,
    IPv4Network,
    IPv6Address,
    IPv6Interface,
    IPv6Network,
)
from pathlib import PurePath
from typing import Any
from uuid import UUID

import orjson
from langchain_core import messages
from langgraph.types import Send

from robyn_server.resources.failure import public_error
from robyn_server.resources.types import Json, JsonObject

_OPTIONS = orjson.OPT_SERIALIZE_NUMPY
_SURROGATE = re.compile("[\ud800-\udfff]")
_NUL = re.compile(rb"(?<!\\)((?:\\\\)*)\\u0000")


def encode(value: Json) -> bytes:
    """Compact JSON, UTF-8 unescaped.

    What JSON has no word for: NaN and infinities, classes, functions and objects that describe themselves in
    no known way become null; sets, deques and the like lists; bytes base64; exceptions `{"error",
    "message"}`. Keys may also be numbers, booleans, None, dates, UUIDs and enums. NUL becomes U+FFFD and a
    lone surrogate `?`, which databases and browsers would choke on.

    Raises:
        TypeError: an integer beyond 64 bits, a key of another type, a model whose dump fails, nesting too
        deep.
    """
    try:
        data = orjson.dumps(value, _described, _OPTIONS)
    except TypeError as error:
        data = _second_try(value, str(error))
    return _NUL.sub(rb"\1\\ufffd", data) if b"\\u0000" in data else data


def _second_try(value: Json, complaint: str) -> bytes:
    # Both cases are rare and their remedies slow down every other value.
    if "surrogates" in complaint:
        value = _without_surrogates(value)
    elif "key must be str" not in complaint:
        raise TypeError(complaint)
    try:
        return orjson.dumps(value, _described, _OPTIONS | orjson.OPT_NON_STR_KEYS)
    except TypeError as error:
        if "surrogates" not in str(error):
            raise
    return orjson.dumps(_without_surrogates(value), _described, _OPTIONS | orjson.OPT_NON_STR_KEYS)


def _without_surrogates(value: Json) -> Json:
    match value:
        case str():
            return _SURROGATE.sub("?", value)
        case dict():
            return {_without_surrogates(key): _without_surrogates(item) for key, item in value.items()}
        case list() | tuple() if not hasattr(value, "_asdict"):
            return [_without_surrogates(item) for item in value]
        case None | bool() | int() | float() | date() | time() | UUID():
            return value
        case Enum():
            return _without_surrogates(value.value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = [field.name for field in dataclasses.fields(value) if not field.name.startswith("_")]
        return {name: _without_surrogates(getattr(value, name)) for name in fields}
    return _without_surrogates(_described(value))


def _described(value: Any) -> Json:
    """`value`, which orjson does not know, in terms nearer to JSON. orjson asks again until it knows them."""
    kind = type(value)
    if kind in _MESSAGES:
        extra = value.__pydantic_extra__
        return value.__dict__ | extra if extra else value.__dict__
    rule = _BY_CLASS.get(kind)
    if rule is not None:
        return rule(value)
    if isinstance(value, type):
        return None
    for name in ("model_dump", "dict", "_asdict"):
        method = getattr(value, name, None)
        if callable(method):
            return method()
    for base, described in _BY_BASE:
        if isinstance(value, base):
            return described(value)
    return None


def _base64(value: bytes | bytearray) -> str:
    return b64encode(value).decode()


def _number(value: Decimal) -> int | float | None:
    exponent = value.as_tuple().exponent
    if not isinstance(exponent, int):
        return None
    return int(value) if exponent >= 0 else float(value)


_MESSAGES = frozenset(
    {
        messages.AIMessage, messages.AIMessageChunk, messages.HumanMessage, messages.HumanMessageChunk,
        messages.SystemMessage, messages.SystemMessageChunk, messages.ToolMessage, messages.ToolMessageChunk,
        messages.FunctionMessage, messages.FunctionMessageChunk, messages.ChatMessage,
        messages.ChatMessageChunk, messages.RemoveMessage,
    }
)  # fmt: skip

_BY_CLASS: Mapping[type, Callable[[Any], Json]] = {
    Send: lambda send: {"node": send.node, "args": send.arg},
    set: list,
    frozenset: list,
    deque: list,
    bytes: _base64,
    bytearray: _base64,
    Decimal: _number,
    timedelta: timedelta.total_seconds,
    re.Pattern: lambda pattern: pattern.pattern,
    IPv4Address: str, IPv4Network: str, IPv4Interface: str,
    IPv6Address: str, IPv6Network: str, IPv6Interface: str,
}  # fmt: skip

_BY_BASE: tuple[tuple[type, Callable[[Any], Json]], ...] = (
    (BaseException, public_error),
    (PurePath, str),
    (set, list),
    (frozenset, list),
    (deque, list),
    (tuple, list),
    (bytes, _base64),
    (bytearray, _base64),
    (Decimal, _number),
    (timedelta, timedelta.total_seconds),
)


class EncodedOnce:
    """Remembers the JSON of objects that come again and again, by identity: a model call says its metadata,
    the same object, with every token. Keeps the `most` lately used alive."""

    def __init__(self, most: int = 64) -> None:
        self._most = most
        self._known: OrderedDict[int, tuple[JsonObject, int, bytes]] = OrderedDict()

    def of(self, value: JsonObject) -> bytes:
        """The JSON of `value`, which nobody changes any more but by adding keys."""
        key = id(value)
        known = self._known.get(key)
        if known is not None and known[1] == len(value):
            self._known.move_to_end(key)
            return known[2]
        data = encode(value)
        self._known[key] = (value, len(value), data)
        if len(self._known) > self._most:
            self._known.popitem(last=False)
        return data
