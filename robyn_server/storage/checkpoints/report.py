"""What the checkpoints of a thread weigh: the answer of `Checkpoints.storage`."""

from robyn_server.resources.types import JsonObject
from robyn_server.storage.db import Transition


def byte_report(thread_id: str, checkpoints: str, writes: str, values: str) -> Transition[JsonObject]:
    """Each statement has the thread's id as its one parameter. The first two give one row (count, bytes), `values` a
    row (channel, versions, bytes) for each channel."""
    whole = yield from _size(checkpoints, thread_id)
    pending = yield from _size(writes, thread_id)
    rows = yield values, (thread_id,)
    by_channel: JsonObject = {
        channel: {"bytes": length, "versions": count} for channel, count, length in rows
    }
    length_of_values = sum(length for *_, length in rows)
    return {
        "thread_id": thread_id,
        "total_bytes": whole["bytes"] + length_of_values + pending["bytes"],
        "checkpoints": whole,
        "channel_values": {
            "count": sum(count for _, count, _ in rows),
            "bytes": length_of_values,
            "by_channel": by_channel,
        },
        "pending_writes": pending,
    }


def _size(sql: str, thread_id: str) -> Transition[JsonObject]:
    ((count, length),) = yield sql, (thread_id,)
    return {"count": count, "bytes": length}
