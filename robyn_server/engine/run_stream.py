"""Follow one run from a place in its thread's log: every stream, wait and join of a run is this."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable
from contextlib import aclosing
from dataclasses import dataclass, field

import orjson

from robyn_server.engine.lost_ends import LostEnds
from robyn_server.errors import Unavailable
from robyn_server.events.interfaces import EventLog, LogGap
from robyn_server.resources.encoding import encode
from robyn_server.resources.event import END_OF_RUN, START, EventId, RunEvent
from robyn_server.resources.protocol_event import is_protocol_event, values_told
from robyn_server.resources.run import Run
from robyn_server.resources.types import JsonObject
from robyn_server.storage.interfaces import RunRows
from robyn_server.wire.sse import frame, frame_of

GAP = {
    "error": "StreamGap",
    "message": "The stream is too far behind: its events are no longer kept. Read the thread's state.",
    "code": "STREAM_GAP",
}


async def follow(
    log: EventLog, runs: RunRows, thread_id: str, run_id: str, after: EventId, *, stored_only: bool = False
) -> AsyncGenerator[list[RunEvent], None]:
    """The run's entries in batches, the closing one included. What an older attempt still says after a newer one
    has spoken is dropped: that worker has lost its lease. Raises `LogGap`, also when the run is over and its closing
    entry was lost."""
    attempt = 0
    lost = LostEnds(runs, thread_id, run_id)
    async with aclosing(log.follow(thread_id, after, run_id, stored_only=stored_only)) as batches:
        async for batch in batches:
            if not batch:
                if await lost.found():
                    raise LogGap
                continue
            if batch[0].attempt == attempt == batch[-1].attempt:
                yield batch
                continue
            kept = []
            for entry in batch:
                attempt = max(attempt, entry.attempt)
                if entry.attempt == attempt:
                    kept.append(entry)
            if kept:
                yield kept


async def frames(
    batches: AsyncIterator[list[RunEvent]], keep: Callable[[str], bool] | None = None
) -> AsyncIterator[bytes]:
    """SSE bytes of a run's entries, one chunk a batch; ids stand on resumable runs only. A reader that is too far
    behind gets one `error` frame and the end."""
    try:
        async for batch in batches:
            chunk = b"".join(
                frame(entry, with_id=entry.resumable)
                for entry in batch
                if entry.event != END_OF_RUN and (keep is None or keep(entry.event))
            )
            if chunk:
                yield chunk
    except LogGap:
        yield frame_of("error", orjson.dumps(GAP))


async def unbroken(batches: AsyncIterator[list[RunEvent]], run: Run) -> AsyncIterator[list[RunEvent]]:
    """The same batches; for a reader that is too far behind, an `error` and the closing entry."""
    try:
        async for batch in batches:
            yield batch
    except LogGap:
        yield [
            RunEvent(START, run.run_id, run.attempt, "error", orjson.dumps(GAP)),
            RunEvent(START, run.run_id, run.attempt, END_OF_RUN, b""),
        ]


@dataclass(slots=True)
class Outcome:
    """What somebody who waits for a run has seen: the bodies of `wait` and `join` are made of it."""

    values: bytes | None = None
    interrupted: list[bytes] = field(default_factory=list)
    error: bytes | None = None
    result: bytes = b""

    def see(self, entries: Iterable[RunEvent]) -> None:
        """Take notice of more entries."""
        for entry in entries:
            if entry.event == "values" and is_protocol_event(entry.data):
                self._see_protocol_values(entry.data)
            elif entry.event == "values":
                if b'"__interrupt__"' in entry.data and "__interrupt__" in orjson.loads(entry.data):
                    self.interrupted.append(entry.data)
                else:
                    self.values = entry.data
            elif entry.event == "error":
                self.error = entry.data
            elif entry.event == END_OF_RUN:
                self.result = entry.data

    def _see_protocol_values(self, data: bytes) -> None:
        values, interrupts = values_told(data)
        if interrupts:
            self.interrupted.append(encode({**values, "__interrupt__": interrupts}))
        else:
            self.values = encode(values)

    def body(self) -> bytes | None:
        """JSON for the client; None when nothing was seen that could answer."""
        if self.error is not None:
            failure = orjson.loads(self.error)
            return encode({"__error__": {"error": failure["error"], "message": failure["message"]}})
        if len(self.interrupted) == 1:
            return self.interrupted[0]
        if self.interrupted:
            return encode({"__interrupt__": _merged(self.interrupted)})
        return self.values or self.result or None


def _merged(interrupted: list[bytes]) -> list[JsonObject]:
    found: dict[str, JsonObject] = {}
    for data in interrupted:
        for interrupt in orjson.loads(data)["__interrupt__"]:
            found[interrupt["id"]] = interrupt
    return list(found.values())


async def outcome(batches: AsyncIterator[list[RunEvent]]) -> Outcome:
    """Follow to the end and say what was seen. Raises `LogGap`."""
    seen = Outcome()
    async for batch in batches:
        seen.see(batch)
    return seen


async def outcome_at_last(
    log: EventLog, runs: RunRows, run: Run, batches: AsyncIterator[list[RunEvent]]
) -> Outcome | None:
    """`outcome` for somebody who waits for the end whatever becomes of the log: after a gap it goes on from the
    present. None when the run is over and the log cannot tell how; its rows can."""
    while True:
        try:
            return await outcome(batches)
        except LogGap:
            try:
                place = await log.tail(run.thread_id)
            except Unavailable:
                place = START
            # After the place was taken: what is active now has its closing entry still to come.
            if all(one.run_id != run.run_id for one in await runs.active(run.thread_id)):
                return None
            batches = follow(log, runs, run.thread_id, run.run_id, place)
