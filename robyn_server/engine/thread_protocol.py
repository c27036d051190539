"""The thread protocol ("v2"): start and answer runs of a thread, follow all of them as one stream of events.

A run started here is an ordinary run that the worker executes with LangGraph's event stream; what differs is what
its entries in the thread's log look like (`resources/protocol_event.py`).
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import orjson

from robyn_server.engine.access import Access
from robyn_server.engine.lost_ends import LostEnds
from robyn_server.engine.parts import Parts
from robyn_server.engine.runs import Runs
from robyn_server.engine.thread_stream import is_hidden
from robyn_server.errors import Unprocessable
from robyn_server.events.interfaces import LogGap
from robyn_server.resources.clock import now
from robyn_server.resources.event import END_OF_RUN, START, EventId, RunEvent
from robyn_server.resources.ids import canonical_id
from robyn_server.resources.metadata_filter import MetadataFilter
from robyn_server.resources.protocol_event import EVENT_STREAMING
from robyn_server.resources.request_facts import RequestFacts
from robyn_server.resources.run import Run
from robyn_server.resources.run_lifecycle import ACTIVE
from robyn_server.resources.thread import Thread
from robyn_server.resources.types import Json, JsonObject
from robyn_server.wire.protocol_v2.channels import Subscription
from robyn_server.wire.protocol_v2.commands import ProtocolError, Respond, RunStart, failure
from robyn_server.wire.protocol_v2.run_story import RunFacts
from robyn_server.wire.protocol_v2.session import ProtocolSession
from robyn_server.wire.sse import frame_of

STREAM_MODES = ("values", "updates", "messages", "tools", "lifecycle", "custom", "tasks", "checkpoints")
WAIT_SECONDS = 5.0
"""How long a command waits while the thread is busy: clients answer and ask on before the last run has quite ended."""
NOTHING_TO_ANSWER = "No interrupted run is bound to this thread."
GAP = "The stream is too far behind: its events are no longer kept. Read the thread's state."


class ThreadProtocol:
    """See the module's first line. Every method acts for one caller."""

    def __init__(self, parts: Parts, access: Access, facts: RequestFacts) -> None:
        self._parts = parts
        self._access = access
        # The time of the request is a fact of the run routes: a command may have waited.
        self._runs = Runs(parts, access, replace(facts, received_ms=None))

    async def start(self, thread_id: str, start: RunStart) -> Run:
        """Start a run; the thread is made when it is missing. Input for a thread that has asked something is taken for
        the answer. Raises as `Runs.create`."""
        canonical = canonical_id(thread_id)
        if canonical is None:
            raise Unprocessable("Invalid thread ID")
        body = _body(canonical, start.assistant_id, start.config, start.metadata)
        if start.input is not None:
            thread = await self._settled(canonical)
            if thread is not None and thread.interrupts:
                body["command"] = {"resume": start.input}
            else:
                body["input"] = start.input
        body["multitask_strategy"] = start.strategy
        body["langsmith_tracer"] = start.tracer
        return await self._runs.create(canonical, body)

    async def respond(self, thread_id: str, respond: Respond) -> Run:
        """Answer interrupts: a run on the thread's assistant goes on from them. Raises `ProtocolError`, and as
        `Runs.create`."""
        canonical = canonical_id(thread_id)
        thread = await self._settled(canonical) if canonical is not None else None
        if canonical is None or thread is None:
            raise ProtocolError("no_such_run", NOTHING_TO_ANSWER)
        asked = {one["id"] for task in thread.interrupts.values() for one in task}
        for interrupt_id in respond.responses:
            if interrupt_id not in asked:
                message = f"Unknown or already-consumed interrupt: {interrupt_id}"
                raise ProtocolError("no_such_interrupt", message)
        assistant_id = thread.metadata.get("assistant_id")
        if not isinstance(assistant_id, str):
            raise ProtocolError("no_such_run", NOTHING_TO_ANSWER)
        body = _body(canonical, assistant_id, respond.config, respond.metadata)
        command: JsonObject = {"resume": respond.responses}
        if respond.update is not None:
            command["update"] = respond.update
        if respond.goto is not None:
            command["goto"] = respond.goto
        return await self._runs.create(canonical, {**body, "command": command})

    async def _settled(self, thread_id: str) -> Thread | None:
        """The thread, once nothing goes on on it or after the wait. None when there is none for this caller."""
        visible = await self._visible(thread_id)
        threads = self._parts.storage.threads
        thread = await threads.get(thread_id, visible)
        if thread is None or thread.status != "busy":
            return thread
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                await self._idle(thread_id)
        except TimeoutError:
            pass
        return await threads.get(thread_id, visible)

    async def _idle(self, thread_id: str) -> None:
        # The place first: a run that ends after it is seen in the log, one that ended before it in the rows.
        place = await self._parts.log.tail(thread_id)
        if not await self._parts.storage.runs.active(thread_id):
            return
        async for batch in self._parts.log.follow(thread_id, place):
            quiet = not batch or any(entry.event == END_OF_RUN for entry in batch)
            if quiet and not await self._parts.storage.runs.active(thread_id):
                return

    async def _visible(self, thread_id: str) -> MetadataFilter:
        return await self._access.check("threads", "read", {"thread_id": thread_id})

    async def events(self, thread_id: str, subscription: Subscription) -> AsyncIterator[bytes]:
        """SSE bytes of all runs of the thread: those that are kept, then those to come, for ever. A thread that does
        not exist or is being deleted is silent until there is one, somebody else's for ever; a malformed id ends at
        once."""
        canonical = canonical_id(thread_id)
        if canonical is None:
            return _nothing()
        return _Reader(self._parts, canonical, await self._visible(canonical)).frames(subscription)


class _Reader:
    """One open stream."""

    def __init__(self, parts: Parts, thread_id: str, visible: MetadataFilter) -> None:
        self._parts = parts
        self._thread_id = thread_id
        self._visible = visible

    async def frames(self, subscription: Subscription) -> AsyncIterator[bytes]:
        """The stream. A reader that is too far behind gets one error frame and the end."""
        log, thread_id = self._parts.log, self._thread_id
        waited = await self._shown()
        active = [] if waited else await self._parts.storage.runs.active(thread_id)
        session = ProtocolSession(subscription, [run.run_id for run in active])
        place = START
        try:
            if not waited:
                async for batch in log.follow(thread_id, START, stored_only=True):
                    place = batch[-1].id
                    if chunk := await self._told(session, batch):
                        yield chunk
                if not active and (chunk := await self._rebuilt(session)):
                    yield chunk
            session.go_live()
            lost = LostEnds(self._parts.storage.runs, thread_id)
            await lost.look()
            async for batch in log.follow(thread_id, place):
                lost.see(batch)
                told = batch or [_ended_now(entry) for entry in await lost.found()]
                if chunk := await self._told(session, told):
                    yield chunk
        except LogGap:
            yield frame_of("error", orjson.dumps(failure(None, "unknown_error", GAP)))

    async def _shown(self) -> bool:
        """Wait until the thread may be shown to this caller; whether that took a wait. What happens on somebody else's
        meanwhile is passed over, so that it cannot be told from one that does not exist."""
        log, waited = self._parts.log, False
        while await self._is_hidden():
            waited = True
            try:
                # It ends when the thread is deleted, after which there may be another one with its id.
                async for _ in log.follow(self._thread_id, await log.tail(self._thread_id)):
                    if not await self._is_hidden():
                        break
            except LogGap:
                continue
        return waited

    async def _is_hidden(self) -> bool:
        return await is_hidden(self._parts.storage.threads, self._thread_id, self._visible)

    async def _told(self, session: ProtocolSession, batch: list[RunEvent]) -> bytes:
        chunks = []
        for entry in batch:
            if session.asks_for_facts(entry):
                session.learn(entry.run_id, _facts(await self._parts.storage.runs.get(entry.run_id)))
            chunks.append(session.feed(entry))
        return b"".join(chunks)

    async def _rebuilt(self, session: ProtocolSession) -> bytes:
        """The thread's last run from its rows, when its events are no longer kept."""
        run = await self._parts.storage.runs.latest(self._thread_id)
        if run is None or not run.resumable or run.status in ACTIVE or session.knows(run.run_id):
            return b""
        thread = await self._parts.storage.threads.get(self._thread_id, self._visible)
        facts = _facts(run)
        if thread is None or thread.values is None or facts is None:
            return b""
        asked = [one for task in thread.interrupts.values() for one in task]
        at = int((run.finished_at or now()).timestamp() * 1000)
        return session.rebuild(run.run_id, facts, orjson.loads(thread.values), asked, at)


def _ended_now(entry: RunEvent) -> RunEvent:
    return replace(entry, id=EventId(int(now().timestamp() * 1000), 0))


def _facts(run: Run | None) -> RunFacts | None:
    if run is None:
        return None
    error = run.error or {}
    return RunFacts(run.graph_id, run.status, run.resumable, run.attempt > 0, error.get("message"))


def _body(thread_id: str, assistant_id: str, config: JsonObject, metadata: JsonObject | None) -> JsonObject:
    """What the client would have had to send to the run routes for such a run."""
    configurable: dict[str, Json] = config.get("configurable") or {}
    body: JsonObject = {
        "assistant_id": assistant_id,
        "config": {
            **config,
            "configurable": {**configurable, "thread_id": thread_id, EVENT_STREAMING: True},
        },
        "stream_mode": list(STREAM_MODES),
        "stream_subgraphs": True,
        "stream_resumable": True,
        "durability": "async",
        "if_not_exists": "create",
    }
    return body if metadata is None else {**body, "metadata": metadata}


async def _nothing() -> AsyncIterator[bytes]:
    return
    yield b""
