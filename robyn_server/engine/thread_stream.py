"""Follow every run of a thread: `GET /threads/{thread_id}/stream`."""

from collections.abc import AsyncIterator, Collection
from dataclasses import replace
from typing import Literal

import orjson

from robyn_server.engine.lost_ends import LostEnds
from robyn_server.events.interfaces import EventLog, LogGap
from robyn_server.resources.event import END_OF_RUN, EventId, RunEvent
from robyn_server.resources.metadata_filter import MetadataFilter
from robyn_server.storage.interfaces import RunRows, ThreadRows
from robyn_server.wire.sse import frame, frame_of

ThreadStreamMode = Literal["run_modes", "lifecycle", "state_update"]
THREAD_STREAM_MODES: tuple[ThreadStreamMode, ...] = ("run_modes", "lifecycle", "state_update")
STATE_UPDATE = "state_update"


async def is_hidden(threads: ThreadRows, thread_id: str, visible: MetadataFilter) -> bool:
    """Whether nothing of the thread may be shown: it is somebody else's, being deleted, or, for who may not see all,
    missing. (It might become somebody else's.)"""
    thread = await threads.get(thread_id, leaving=True)
    if thread is None:
        return not visible.is_everything
    return thread.is_leaving or not visible.allows(thread.metadata)


async def thread_frames(
    log: EventLog, runs: RunRows, thread_id: str, after: EventId, modes: Collection[str]
) -> AsyncIterator[bytes]:
    """SSE bytes of all that happens on the thread, for ever; every frame has an id. The end of a run shows as
    `metadata {"status": "run_done", "run_id"}`."""
    lost, place = LostEnds(runs, thread_id), after
    await lost.look()
    try:
        async for batch in log.follow(thread_id, after):
            lost.see(batch)
            place = batch[-1].id if batch else place
            told = batch or [replace(entry, id=place) for entry in await lost.found()]
            chunk = b"".join(_frame(entry) for entry in told if _wanted(entry, modes))
            if chunk:
                yield chunk
    except LogGap:
        yield frame_of("error", b'{"error":"StreamGap","message":"The stream is too far behind."}')


def _wanted(entry: RunEvent, modes: Collection[str]) -> bool:
    if entry.event == STATE_UPDATE:
        return STATE_UPDATE in modes
    if "run_modes" in modes:
        return True
    return "lifecycle" in modes and entry.event in (END_OF_RUN, "metadata")


def _frame(entry: RunEvent) -> bytes:
    if entry.event != END_OF_RUN:
        return frame(entry, with_id=True)
    done = orjson.dumps({"status": "run_done", "run_id": entry.run_id})
    return frame(
        RunEvent(entry.id, entry.run_id, entry.attempt, "metadata", done, entry.resumable), with_id=True
    )
