"""Entries of the log as Redis keeps them."""

from collections.abc import Mapping
from typing import Any, TypeAlias

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from robyn_server.resources.event import EventId, RunEvent

PREFIX = "robyn_server:"
GONE = "\0gone"
"""The event of the one entry that is left of a deleted thread, for a minute."""
LOST = "\0lost"
"""The event that stands in the place of entries of a run that could not be sent."""

SILENCE_SECONDS = 5

MOST_CONNECTIONS = 64
"""Who finds all of them in use waits: hundreds of streams may be opened at the same moment."""

Entries: TypeAlias = list[tuple[bytes, dict[bytes, bytes]]]
"""Ids and fields of a stream, as a client without `decode_responses` gives them."""


def connect(uri: str) -> Redis:
    """A client as the log and the hints need it; it connects when it is used."""
    pool = BlockingConnectionPool.from_url(
        uri,
        max_connections=MOST_CONNECTIONS,
        timeout=SILENCE_SECONDS,
        protocol=2,
        socket_connect_timeout=5,
        # Longer than any command waits, for a server that stands still without breaking its connections.
        socket_timeout=SILENCE_SECONDS,
        socket_keepalive=True,
        health_check_interval=30,
        # Ours to retry: the library would append a batch twice whose answer was lost.
        retry=Retry(NoBackoff(), 0),
    )
    return Redis.from_pool(pool)


def listed(answer: Any) -> Entries:
    """What XRANGE and XREVRANGE answer."""
    return answer or []


def key_of(thread_id: str) -> str:
    """The key of a thread's stream."""
    return f"{PREFIX}events:{thread_id}"


def parsed(raw: bytes) -> EventId:
    """An id of Redis."""
    ms, _, seq = raw.partition(b"-")
    return EventId(int(ms), int(seq))


def entry_of(raw_id: bytes, fields: Mapping[bytes, bytes]) -> RunEvent:
    """An entry of a stream."""
    return RunEvent(
        parsed(raw_id),
        fields[b"r"].decode(),
        int(fields[b"a"]),
        fields[b"e"].decode(),
        fields[b"d"],
        fields[b"k"] == b"1",
    )
