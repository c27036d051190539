"""Channel values as rows: one for each version of a channel, found by every checkpoint that names the version.

A list that only grows, as a conversation does, would be written anew at each step: a disk that fills with the
square of the steps. So the items of a long list stand in a *log*, a row of chunks: a version is the first
`length` bytes of its log, and a version that goes on where the one before it ended adds only what is new.
Any other change begins a new log. A log is never changed below the length of a version that uses it, so
copies of a thread share it.
"""

from collections.abc import Iterable, Mapping

import orjson

from robyn_server.storage.db import Row, Transition

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

SHORT = 2048
"""Values of fewer bytes are kept whole."""

CHUNK = 4096
"""A chunk of fewer bytes takes what comes next; reading a log of many small chunks would be slow."""


def keep_value(thread_id: str, ns: str, channel: str, version: str, value: Value) -> Transition[None]:
    """Keep the value of a version that is new; one that is there already stays as it is."""
    kind, data = value
    head, log, length = len(data), None, None
    if len(data) >= SHORT:
        head = _head_length(data) if kind == "msgpack" else 0
        length = len(data) - head
        newest = yield (
            "SELECT version, log, length FROM checkpoint_blobs"
            " WHERE thread_id = ? AND checkpoint_ns = ? AND channel = ? ORDER BY version DESC LIMIT 1",
            (thread_id, ns, channel),
        )
        if newest and newest[0][0] == version:
            return
        if newest and newest[0][1] is not None:
            log = yield from _go_on(newest[0], data, head)
        if log is None:
            log = yield from _begin(data, head)
    yield (
        "INSERT INTO checkpoint_blobs(thread_id, checkpoint_ns, channel, version, type, blob, log, length)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        (thread_id, ns, channel, version, kind, data[:head], log, length),
    )


def read_values(thread_id: str, ns: str, versions: Mapping[str, object]) -> Transition[dict[str, Value]]:
    """The values of these versions by channel; a channel without a value is left out."""
    wanted = orjson.dumps({channel: str(version) for channel, version in versions.items()}).decode()
    rows = yield (
        "SELECT b.channel, b.type, b.blob, b.log, b.length FROM json_each(?) v CROSS JOIN checkpoint_blobs b"
        " ON b.channel = v.key AND b.version = v.value WHERE b.thread_id = ? AND b.checkpoint_ns = ?",
        (wanted, thread_id, ns),
    )
    values: dict[str, Value] = {}
    for channel, kind, blob, log, length in rows:
        if log is not None:
            chunks = yield (
                "SELECT data FROM checkpoint_chunks WHERE log = ? AND at < ? ORDER BY at",
                (log, length),
            )
            # The last chunk may go on with what later versions added.
            blob = b"".join((blob, *(data for (data,) in chunks)))[: len(blob) + length]
        values[channel] = (kind, blob)
    return values


def drop_unnamed_values(thread_id: str) -> Transition[None]:
    """Drop the values of a thread that no checkpoint names any more."""
    rows = yield (
        "DELETE FROM checkpoint_blobs WHERE thread_id = ? AND (checkpoint_ns, channel, version) NOT IN"
        " (SELECT c.checkpoint_ns, v.key, CAST(v.value AS TEXT)"
        " FROM checkpoints c, json_each(c.checkpoint, '$.channel_versions') v WHERE c.thread_id = ?)"
        " RETURNING log",
        (thread_id, thread_id),
    )
    yield from _trim(rows)


def drop_values(thread_id: str) -> Transition[None]:
    """Drop all values of a thread."""
    yield from _trim((yield "DELETE FROM checkpoint_blobs WHERE thread_id = ? RETURNING log", (thread_id,)))


def _head_length(data: bytes) -> int:
    """How many bytes a msgpack list spends on its length; 0 for anything but a list. What follows is the same
    for a list and the beginning of a longer one."""
    first = data[0]
    if first & 0xF0 == 0x90:
        return 1
    return {0xDC: 3, 0xDD: 5}.get(first, 0)


def _go_on(newest: Row, data: bytes, head: int) -> Transition[int | None]:
    """Add to the log of the newest version what `data` has beyond it. None when data does not begin as that
    version does, or the log has gone on elsewhere."""
    log: int = newest[1]
    length: int = newest[2]
    if len(data) - head < length:
        return None
    chunks = yield "SELECT at, data FROM checkpoint_chunks WHERE log = ? ORDER BY at", (log,)
    if not all(data.startswith(chunk[: max(length - at, 0)], head + at) for at, chunk in chunks):
        return None
    more = memoryview(data)[head + length :]
    if not more:
        return log
    at, last = chunks[-1]
    if at + len(last) != length:
        return None
    if len(last) < CHUNK:
        longer = b"".join((last, more))
        yield "UPDATE checkpoint_chunks SET data = ? WHERE log = ? AND at = ?", (longer, log, at)
    else:
        yield "INSERT INTO checkpoint_chunks(log, at, data) VALUES (?, ?, ?)", (log, length, more)
    return log


def _begin(data: bytes, head: int) -> Transition[int]:
    rows = yield (
        "INSERT INTO checkpoint_chunks(log, at, data)"
        " SELECT coalesce(max(log), 0) + 1, 0, ? FROM checkpoint_chunks RETURNING log",
        (memoryview(data)[head:],),
    )
    log: int = rows[0][0]
    return log


def _trim(dropped: Iterable[Row]) -> Transition[None]:
    """Cut the logs of dropped values down to what other values still use."""
    for log in {log for (log,) in dropped if log is not None}:
        rows = yield "SELECT coalesce(max(length), 0) FROM checkpoint_blobs WHERE log = ?", (log,)
        length = rows[0][0]
        yield "DELETE FROM checkpoint_chunks WHERE log = ? AND at >= ?", (log, length)
        yield (
            "UPDATE checkpoint_chunks SET data = substr(data, 1, ? - at)"
            " WHERE log = ? AND at + length(data) > ?",
            (length, log, length),
        )
