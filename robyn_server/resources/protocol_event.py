"""How a run of the thread protocol stands in its thread's log: LangGraph's protocol events, one entry each.

An entry's event name is the protocol's method, with the namespace behind it as everywhere in the log
(`values|child:1`); its data is `{"type": "event", "seq", "method", "params": {"namespace", "timestamp", "data"}}`.
"""

from typing import NamedTuple

import orjson

from robyn_server.resources.types import Json, JsonObject

EVENT_STREAMING = "__event_streaming_v2"
"""The configurable that makes a run speak the thread protocol."""

_PREFIX = b'{"type":"event","seq":'


class ValuesTold(NamedTuple):
    """What a `values` event of the root graph says."""

    values: Json
    interrupts: list[JsonObject]


def logged_event(seq: int, method: str, params: bytes) -> bytes:
    """The data of an entry. `params` is JSON and comes last: readers renumber an event without parsing it."""
    return b'%b%d,"method":%b,"params":%b}' % (_PREFIX, seq, orjson.dumps(method), params)


def is_protocol_event(data: bytes) -> bool:
    """Whether an entry's data was made by `logged_event`."""
    return data.startswith(_PREFIX)


def renumbered(data: bytes, event_id: str, seq: int) -> bytes:
    """A logged event as one reader gets it, under the reader's own number."""
    rest = data[data.index(b'"method":', len(_PREFIX)) :]
    return b'{"type":"event","event_id":%b,"seq":%d,%b' % (orjson.dumps(event_id), seq, rest)


def values_told(data: bytes) -> ValuesTold:
    """State and interrupts of a logged `values` event."""
    params = orjson.loads(data)["params"]
    return ValuesTold(params["data"], list(params.get("interrupts") or ()))
