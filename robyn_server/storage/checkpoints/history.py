"""What the checkpoints above one hold of channels that store only their changes (LangGraph's delta channels)."""

from collections.abc import Collection
from dataclasses import dataclass, field

import orjson

from robyn_server.storage.checkpoints.rows import Place, head_at, writes_on
from robyn_server.storage.checkpoints.values import Value, read_values
from robyn_server.storage.db import Row, Transition
from robyn_server.storage.encryption.cipher import Cipher


@dataclass(slots=True)
class History:
    """Of one channel: writes as of `writes_on`, oldest first, and the value they build on, None when there is
    none."""

    writes: list[Row] = field(default_factory=list)
    seed: Value | None = None


def channel_history(
    cipher: Cipher, place: Place, channels: Collection[str]
) -> Transition[dict[str, History]]:
    """For each channel, go up from a checkpoint to the nearest one above it that holds a value of the channel.
    What was written onto the checkpoint itself is for the step after it and left out."""
    found = {channel: History() for channel in channels}
    missing, seen = set(channels), {place.checkpoint_id}
    head = yield from head_at(place)
    up = head.parent if head else None
    # A checkpoint put again below its own child would make a circle.
    while missing and up is not None and up not in seen:
        seen.add(up)
        above = yield from head_at(Place(place.thread_id, place.ns, up))
        if above is None:
            break
        for write in reversed((yield from writes_on(above.place))):
            if write[1] in missing:
                found[write[1]].writes.append(write)
        versions = orjson.loads(above.checkpoint)["channel_versions"]
        asked = {channel: versions[channel] for channel in missing if channel in versions}
        for channel, value in (yield from read_values(cipher, place.thread_id, place.ns, asked)).items():
            found[channel].seed = value
            missing.discard(channel)
        up = above.parent
    for history in found.values():
        history.writes.reverse()
    return found
