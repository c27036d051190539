"""What a worker process and its server say to one another: messages, and their bytes. No I/O.

A message is a list that JSON can hold, its first item the word, and blobs beside it:

    worker: hello {protocol, schema, again, link}
            append serial context thread run attempt resumable first names | data
            flush   queued   cancel run   ask number tail|forget thread   follow thread ms seq run stored_only
    server: welcome {host, port}   refused sentence   kept serial   queued   cancel run   answer number value
            batch entries | data of each   gap
"""

import struct
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import orjson

PROTOCOL = 2
"""Grows when a message changes its meaning."""

_LENGTHS = struct.Struct("!II")
"""Of the JSON, and of all blobs together."""


class Message(NamedTuple):
    """One message."""

    words: list[Any]
    blobs: Sequence[bytes] = ()


def encoded(word: str, *rest: Any, blobs: Sequence[bytes] = ()) -> bytes:
    """The bytes of a message."""
    head = orjson.dumps([[word, *rest], [len(blob) for blob in blobs]])
    body = b"".join(blobs)
    return b"".join((_LENGTHS.pack(len(head), len(body)), head, body))


class Decoder:
    """Cuts a stream of bytes into messages."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[Message]:
        """What is complete with these bytes. To be iterated to its end."""
        buffer = self._buffer
        buffer += data
        at = 0
        while len(buffer) - at >= _LENGTHS.size:
            head, body = _LENGTHS.unpack_from(buffer, at)
            start = at + _LENGTHS.size
            if len(buffer) < start + head + body:
                break
            words, sizes = orjson.loads(memoryview(buffer)[start : start + head])
            blobs = []
            place = start + head
            for size in sizes:
                blobs.append(bytes(buffer[place : place + size]))
                place += size
            at = place
            yield Message(words, blobs)
        del buffer[:at]
