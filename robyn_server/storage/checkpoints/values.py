"""Channel values as rows: one for each version of a channel, found by every checkpoint that names the version.

A list that only grows, as a conversation does, would be written anew at each step: a disk that fills with the
square of the steps. So the items of a long list stand in a *log*, a row of chunks: a version is the first
`length` bytes of its log, and a version that goes on where the one before it ended adds only what is new.
Any other change begins a new log. A log is never changed below the length of a version that uses it, so
copies of a thread share it.

With encryption each blob and each chunk is sealed by itself, and the type says so. Lengths and places stay those
of the plain bytes. A log is sealed throughout or not at all.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence

import orjson

from robyn_server.storage.db import Row, Transition
from robyn_server.storage.encryption.cipher import Cipher

TABLES = (
    # blob is the whole value, or where there is a log what stands before its bytes.
    """CREATE TABLE checkpoint_blobs (
        thread_id TEXT NOT NULL, checkpoint_ns TEXT NOT NULL, channel TEXT NOT NULL, version TEXT NOT NULL,
        type TEXT NOT NULL, blob BLOB NOT NULL, log INTEGER, length INTEGER,
        PRIMARY KEY (thread_id, checkpoint_ns, channel, version))""",
    "CREATE INDEX checkpoint_blob_log ON checkpoint_blobs(log, length) WHERE log IS NOT NULL",
    # at: where in the log the chunk begins.
    """CREATE TABLE checkpoint_chunks (
        log INTEGER NOT NULL, at INTEGER NOT NULL, data BLOB NOT NULL, PRIMARY KEY (log, at))""",
)

Value = tuple[str, bytes]
"""A value as the serializer gives and takes it: type and bytes."""

SEALED = "+sealed"
"""Stands behind the type of a sealed value."""

SHORT = 2048
"""Values of fewer bytes are kept whole."""

CHUNK = 4096
"""A chunk of fewer bytes takes what comes next; reading a log of many small chunks would be slow."""


def sealed_value(cipher: Cipher, value: Value) -> Value:
    """A value as it is stored in one piece."""
    kind, data = value
    return (kind + SEALED, cipher.seal(data)) if cipher.seals else value


def opened_value(cipher: Cipher, stored: Value) -> Value:
    """The reverse of `sealed_value`, also for values from before encryption. Raises `CannotOpen`."""
    kind, data = stored
    return (kind.removesuffix(SEALED), cipher.open(data)) if kind.endswith(SEALED) else stored


def keep_value(
    cipher: Cipher, thread_id: str, ns: str, channel: str, version: str, value: Value
) -> Transition[None]:
    """Keep the value of a version that is new; one that is there already stays as it is."""
    kind, data = value
    head, log, length = len(data), None, None
    if len(data) >= SHORT:
        head = _head_length(data) if kind == "msgpack" else 0
        length = len(data) - head
        newest = yield (
            "SELECT version, log, length, type FROM checkpoint_blobs"
            " WHERE thread_id = ? AND checkpoint_ns = ? AND channel = ? ORDER BY version DESC LIMIT 1",
            (thread_id, ns, channel),
        )
        if newest and newest[0][0] == version:
            return
        if newest and newest[0][1] is not None:
            log = yield from _go_on(cipher, newest[0], data, head)
        if log is None:
            log = yield from _begin(cipher, data, head)
    kind, blob = sealed_value(cipher, (kind, data[:head]))
    yield (
        "INSERT INTO checkpoint_blobs(thread_id, checkpoint_ns, channel, version, type, blob, log, length)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        (thread_id, ns, channel, version, kind, blob, log, length),
    )


def read_values(
    cipher: Cipher, thread_id: str, ns: str, versions: Mapping[str, object]
) -> Transition[dict[str, Value]]:
    """The values of these versions by channel; a channel without a value is left out. Raises `CannotOpen`."""
    wanted = orjson.dumps({channel: str(version) for channel, version in versions.items()}).decode()
    rows = yield (
        "SELECT b.channel, b.type, b.blob, b.log, b.length FROM json_each(?) v CROSS JOIN checkpoint_blobs b"
        " ON b.channel = v.key AND b.version = v.value WHERE b.thread_id = ? AND b.checkpoint_ns = ?",
        (wanted, thread_id, ns),
    )
    values: dict[str, Value] = {}
    for channel, stored_kind, stored, log, length in rows:
        kind, blob = opened_value(cipher, (stored_kind, stored))
        if log is not None:
            chunks = yield (
                "SELECT data FROM checkpoint_chunks WHERE log = ? AND at < ? ORDER BY at",
                (log, length),
            )
            # The last chunk may go on with what later versions added.
            opened = _opened_with(cipher, stored_kind)
            blob = b"".join((blob, *(opened(data) for (data,) in chunks)))[: len(blob) + length]
        values[channel] = (kind, blob)
    return values


def unnamed_values(thread_id: str) -> Transition[list[Row]]:
    """Namespace, channel and version of the values of a thread that no checkpoint names any more."""
    # NOT IN would go through all that are named for each that is not.
    return (
        yield (
            "SELECT checkpoint_ns, channel, version FROM checkpoint_blobs WHERE thread_id = ?"
            " EXCEPT SELECT c.checkpoint_ns, v.key, CAST(v.value AS TEXT)"
            " FROM checkpoints c, json_each(c.checkpoint, '$.channel_versions') v WHERE c.thread_id = ?",
            (thread_id, thread_id),
        )
    )


def drop_values(cipher: Cipher, thread_id: str, doomed: Sequence[Row]) -> Transition[None]:
    """Drop values, given as (namespace, channel, version)."""
    rows = yield (
        "DELETE FROM checkpoint_blobs WHERE thread_id = ? AND (checkpoint_ns, channel, version) IN"
        " (SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]'), json_extract(value, '$[2]')"
        " FROM json_each(?)) RETURNING log, type",
        (thread_id, listed(doomed)),
    )
    yield from _trim(cipher, rows)


def drop_some_values(cipher: Cipher, thread_id: str, most: int) -> Transition[int]:
    """Drop values of a thread; how many."""
    rows = yield (
        "DELETE FROM checkpoint_blobs WHERE rowid IN"
        " (SELECT rowid FROM checkpoint_blobs WHERE thread_id = ? LIMIT ?) RETURNING log, type",
        (thread_id, most),
    )
    yield from _trim(cipher, rows)
    return len(rows)


def listed(keys: Sequence[Row]) -> str:
    """Keys of several columns as one JSON parameter: a list of marks would be bounded."""
    return orjson.dumps([list(key) for key in keys]).decode()


def _opened_with(cipher: Cipher, kind: str) -> Callable[[bytes], bytes]:
    """How the chunks of a value's log are read."""
    return cipher.open if kind.endswith(SEALED) else bytes


def _head_length(data: bytes) -> int:
    """How many bytes a msgpack list spends on its length; 0 for anything but a list. What follows is the same
    for a list and the beginning of a longer one."""
    first = data[0]
    if first & 0xF0 == 0x90:
        return 1
    return {0xDC: 3, 0xDD: 5}.get(first, 0)


def _go_on(cipher: Cipher, newest: Row, data: bytes, head: int) -> Transition[int | None]:
    """Add to the log of the newest version what `data` has beyond it. None when data does not begin as that
    version does, or the log has gone on elsewhere, or is of another kind than new logs are."""
    log: int = newest[1]
    length: int = newest[2]
    if newest[3].endswith(SEALED) is not cipher.seals:
        return None
    if len(data) - head < length:
        return None
    rows = yield "SELECT at, data FROM checkpoint_chunks WHERE log = ? ORDER BY at", (log,)
    opened = _opened_with(cipher, newest[3])
    chunks = [(at, opened(stored)) for at, stored in rows]
    if not all(data.startswith(chunk[: max(length - at, 0)], head + at) for at, chunk in chunks):
        return None
    more = data[head + length :]
    if not more:
        return log
    at, last = chunks[-1]
    if at + len(last) != length:
        return None
    if len(last) < CHUNK:
        longer = b"".join((last, more))
        yield "UPDATE checkpoint_chunks SET data = ? WHERE log = ? AND at = ?", (cipher.seal(longer), log, at)
    else:
        yield (
            "INSERT INTO checkpoint_chunks(log, at, data) VALUES (?, ?, ?)",
            (log, length, cipher.seal(more)),
        )
    return log


def _begin(cipher: Cipher, data: bytes, head: int) -> Transition[int]:
    rows = yield (
        "INSERT INTO checkpoint_chunks(log, at, data)"
        " SELECT coalesce(max(log), 0) + 1, 0, ? FROM checkpoint_chunks RETURNING log",
        (cipher.seal(data[head:]),),
    )
    log: int = rows[0][0]
    return log


def _trim(cipher: Cipher, dropped: Iterable[Row]) -> Transition[None]:
    """Cut the logs of dropped values down to what other values still use."""
    for log, kind in {log: kind for log, kind in dropped if log is not None}.items():
        rows = yield "SELECT coalesce(max(length), 0) FROM checkpoint_blobs WHERE log = ?", (log,)
        length = rows[0][0]
        yield "DELETE FROM checkpoint_chunks WHERE log = ? AND at >= ?", (log, length)
        rows = yield (
            "SELECT at, data FROM checkpoint_chunks WHERE log = ? AND at + length(data) > ?",
            (log, length),
        )
        for at, stored in rows:
            plain = _opened_with(cipher, kind)(stored)[: length - at]
            sealed = cipher.seal(plain) if kind.endswith(SEALED) else plain
            yield "UPDATE checkpoint_chunks SET data = ? WHERE log = ? AND at = ?", (sealed, log, at)
