"""Runs: create (in `run_creation.py`), follow, wait for, list, cancel, delete."""

from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from functools import partial

from robyn_server.engine.parts import Parts
from robyn_server.engine.run_creation import RunCreation
from robyn_server.engine.run_ending import stop_run
from robyn_server.engine.run_stream import Outcome, follow, frames, outcome_at_last, unbroken
from robyn_server.engine.thread_stream import is_hidden, thread_frames
from robyn_server.engine.threads import Threads
from robyn_server.errors import NotFound, Unavailable
from robyn_server.resources.encoding import encode
from robyn_server.resources.event import START, EventId, RunEvent
from robyn_server.resources.metadata_filter import MetadataFilter
from robyn_server.resources.run import Run, RunSearch
from robyn_server.resources.run_lifecycle import ACTIVE, CancelAction
from robyn_server.resources.thread import Thread
from robyn_server.resources.types import JsonObject

NOTHING_FOUND = "No runs found to cancel."
ALL_FINISHED = (
    "No matching runs to cancel. Please verify the thread ID and run IDs are correct, and the runs haven't been "
    "deleted or completed."
)
MOST_LISTED = 5_000
CANCEL_ROUTE = "POST /threads/{thread_id}/runs/{run_id}/cancel"


class Runs(RunCreation):
    """What can be done with runs, for one caller."""

    async def get(self, thread_id: str, run_id: str) -> Run:
        """Raises `NotFound`."""
        await Threads(self._parts, self._access).get(thread_id)
        run = await self._parts.storage.runs.get(run_id, thread_id)
        if run is None:
            raise NotFound
        return run

    async def find(self, thread_id: str, run_id: str) -> Run | None:
        """The run, None when it is missing: joins answer that inside a 200. Raises `NotFound` for a foreign thread."""
        visible = await self._access.check("threads", "read", {"thread_id": thread_id})
        if not visible.is_everything and await self._parts.storage.threads.get(thread_id, visible) is None:
            raise NotFound("Thread not found")
        return await self._parts.storage.runs.get(run_id, thread_id)

    async def search(self, query: RunSearch) -> list[Run]:
        """Runs of a thread, newest first. Raises `NotFound` for the thread."""
        await Threads(self._parts, self._access).get(query.thread_id)
        return await self._parts.storage.runs.search(query)

    async def of_assistant(self, assistant_id: str, thread_id: str | None = None) -> list[tuple[Run, bool]]:
        """The newest runs of an assistant (on one thread, if given) that the caller may see, newest first; the flag
        says that its thread waits for an answer to this run's interrupt."""
        asked: JsonObject = {"metadata": {}} if thread_id is None else {"thread_id": thread_id}
        visible = await self._access.check("threads", "search" if thread_id is None else "read", asked)
        if asked.get("metadata"):
            visible = MetadataFilter({**visible.equal, **asked["metadata"]}, visible.rest)
        return await self._parts.storage.runs.of_assistant(assistant_id, thread_id, visible, MOST_LISTED)

    def stream(self, run: Run) -> AsyncIterator[bytes]:
        """SSE bytes of a run just created, from its beginning to its end."""
        return frames(self._follow(run))

    def events(self, run: Run) -> AsyncIterator[list[RunEvent]]:
        """The entries of a run just created, in batches, the closing one included: for surfaces with words of their
        own. A reader that is too far behind gets an `error` and the closing entry."""
        return unbroken(self._follow(run), run)

    async def wait(self, run: Run) -> bytes:
        """JSON of how a run just created ended: its last values, `{"__error__"}`, or values and `__interrupt__`."""
        seen = await self._outcome(run, self._follow(run))
        return await self._rows_say(run) if seen is None else seen.body() or b"{}"

    async def join_stream(
        self, run: Run, last_event_id: EventId | None, keep: Callable[[str], bool] | None
    ) -> AsyncIterator[bytes]:
        """SSE bytes of a run from now on, or after an event id (`START`: from its beginning) when it is resumable."""
        return frames(await self._join(run, last_event_id), keep)

    async def _join(self, run: Run, last_event_id: EventId | None) -> AsyncIterator[list[RunEvent]]:
        tail = await self._parts.log.tail(run.thread_id)
        # Read after the tail was taken: a run that is active now has its closing entry still to come.
        current = await self._parts.storage.runs.get(run.run_id)
        active = current is not None and current.status in ACTIVE
        if last_event_id is None or not run.resumable:
            return self._follow(run, tail, stored_only=not active)
        after = max(last_event_id, EventId.parse(run.ev_from) or START)
        return self._follow(run, after, stored_only=not active)

    def _follow(
        self, run: Run, after: EventId | None = None, *, stored_only: bool = False
    ) -> AsyncIterator[list[RunEvent]]:
        place = after or EventId.parse(run.ev_from) or START
        log, runs = self._parts.log, self._parts.storage.runs
        return follow(log, runs, run.thread_id, run.run_id, place, stored_only=stored_only)

    async def _outcome(self, run: Run, batches: AsyncIterator[list[RunEvent]]) -> Outcome | None:
        return await outcome_at_last(self._parts.log, self._parts.storage.runs, run, batches)

    async def stream_thread(
        self, thread_id: str, after: EventId | None, modes: Collection[str]
    ) -> AsyncIterator[bytes]:
        """SSE bytes of all that happens on a thread from now on (or after an event), for ever. A thread that does not
        exist is silent for who may see all; for others it is like one that they may not see, or that is being deleted:
        `NotFound`."""
        visible = await self._access.check("threads", "read", {"thread_id": thread_id})
        if await is_hidden(self._parts.storage.threads, thread_id, visible):
            raise NotFound(f"Thread with ID {thread_id} not found")
        start = await self._parts.log.tail(thread_id) if after is None else after
        return thread_frames(self._parts.log, self._parts.storage.runs, thread_id, start, modes)

    async def join(self, run: Run) -> bytes:
        """JSON of how the run ends. Of a finished run: what its thread says now."""
        if run.status in ACTIVE:
            try:
                batches = await self._join(run, None)
            except Unavailable:
                # Where the log stands now cannot be known; whoever only waits for the end may look further back.
                batches = self._follow(run)
            seen = await self._outcome(run, batches)
            body = None if seen is None else seen.body()
            if body is not None:
                return body
        return await self._rows_say(run)

    async def _rows_say(self, run: Run) -> bytes:
        return _thread_says(await self._parts.storage.threads.get(run.thread_id))

    async def cancel(
        self, thread_id: str, run_id: str, action: CancelAction, *, wait: bool, reason: str | None = None
    ) -> Outcome | None:
        """Stop one run. With `wait`: once it has ended, what was seen since. Raises `NotFound` when there is no such
        run or it has ended, `NotSupported`."""
        visible = await self._access.check("threads", "update", {"thread_id": thread_id})
        self._check_action(action)
        thread = await self._parts.storage.threads.get(thread_id, visible)
        run = await self._parts.storage.runs.get(run_id, thread_id) if thread else None
        if run is None:
            raise NotFound(NOTHING_FOUND)
        tail = await self._parts.log.tail(thread_id) if wait else None
        if not await stop_run(self._parts, run, action, reason or f"{action} requested via {CANCEL_ROUTE}"):
            raise NotFound(ALL_FINISHED)
        if tail is None:
            return None
        return await self._outcome(run, self._follow(run, tail)) or Outcome()

    async def cancel_many(
        self, status: str | None, thread_id: str | None, run_ids: list[str] | None, action: CancelAction
    ) -> None:
        """Stop runs by status, or some runs of a thread. Raises `NotFound` when none was there to stop,
        `NotSupported`."""
        visible = await self._access.check("threads", "update", {"thread_id": thread_id, "status": status})
        self._check_action(action)
        runs = await self._parts.storage.runs.matching(status, thread_id, run_ids, visible)
        if not runs:
            raise NotFound(NOTHING_FOUND)
        reason = f"{action} requested via POST /runs/cancel"
        stopped = [await stop_run(self._parts, run, action, reason) for run in runs]
        if not any(stopped):
            raise NotFound(ALL_FINISHED)

    def _check_action(self, action: CancelAction) -> None:
        if action == "rollback":
            self._parts.storage.checkpoints.check("rollback")

    def when_client_leaves(self, run: Run) -> Callable[[], Awaitable[None]]:
        """For clients whose run shall end with their connection. It keeps neither the run nor the caller in memory."""
        return partial(_client_left, self._parts, run.thread_id, run.run_id)

    async def delete(self, thread_id: str, run_id: str) -> None:
        """Delete a run and the checkpoints it wrote; an active one is rolled back first, in the background."""
        visible = await self._access.check("threads", "delete", {"thread_id": thread_id, "run_id": run_id})
        thread = await self._parts.storage.threads.get(thread_id, visible)
        if thread is None and not visible.is_everything:
            raise NotFound
        run = await self._parts.storage.runs.get(run_id, thread_id)
        if run is None:
            raise NotFound("Run not found")
        self._check_action("rollback")
        if await stop_run(self._parts, run, "rollback", "the run was deleted"):
            return
        await self._parts.storage.checkpoints.delete_run(thread_id, run_id)
        if not await self._parts.storage.runs.delete(run_id):
            raise NotFound("Run not found")


async def _client_left(parts: Parts, thread_id: str, run_id: str) -> None:
    run = await parts.storage.runs.get(run_id, thread_id)
    if run is not None:
        reason = "client disconnected from the run stream (on_disconnect=cancel)"
        await stop_run(parts, run, "interrupt", reason)


def _thread_says(thread: Thread | None) -> bytes:
    """The body of a join after the fact."""
    if thread is None:
        return b"{}"
    if thread.status == "error" and thread.error is not None:
        return encode({"__error__": thread.error})
    if thread.interrupts:
        return encode({"__interrupt__": [one for task in thread.interrupts.values() for one in task]})
    return thread.values or b"{}"
