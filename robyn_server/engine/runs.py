"""Runs: create, follow, wait for, list, cancel, delete."""

import logging
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from dataclasses import dataclass

import orjson

from robyn_server.auth.secrets import merged, take_secrets
from robyn_server.engine.access import Access
from robyn_server.engine.assistants import Assistants
from robyn_server.engine.parts import Parts
from robyn_server.engine.run_config import admitted
from robyn_server.engine.run_stream import Outcome, follow, frames, outcome, unbroken
from robyn_server.engine.thread_stream import thread_frames
from robyn_server.engine.thread_ttl import ttl_rules
from robyn_server.errors import InvalidRequest, NotFound, Unprocessable
from robyn_server.resources.assistant import Assistant
from robyn_server.resources.clock import now
from robyn_server.resources.cron import Cron
from robyn_server.resources.encoding import encode
from robyn_server.resources.event import START, EventId, RunEvent
from robyn_server.resources.ids import canonical_id, new_id
from robyn_server.resources.metadata_filter import MetadataFilter
from robyn_server.resources.request_facts import RequestFacts
from robyn_server.resources.reserved import own_metadata
from robyn_server.resources.run import EndedRun, Ending, NewRun, Queued, Run, RunSearch, ThreadForRun
from robyn_server.resources.run_lifecycle import ACTIVE, CancelAction, MultitaskStrategy
from robyn_server.resources.thread import Thread
from robyn_server.resources.types import Json, JsonObject

logger = logging.getLogger(__name__)

NO_THREAD_OR_ASSISTANT = "Thread or assistant not found."
NOTHING_FOUND = "No runs found to cancel."
ALL_FINISHED = (
    "No matching runs to cancel. Please verify the thread ID and run IDs are correct, and the runs haven't been "
    "deleted or completed."
)
MOST_LISTED = 5_000
LONGEST_DELAY_SECONDS = 100 * 366 * 86_400.0
CANCEL_ROUTE = "POST /threads/{thread_id}/runs/{run_id}/cancel"
STRATEGIES: Mapping[str, MultitaskStrategy] = {
    "reject": "reject", "enqueue": "enqueue", "interrupt": "interrupt", "rollback": "rollback",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Admission:
    """Everything that a new run needs to know before it is queued."""

    body: JsonObject
    assistant: Assistant
    run_id: str
    thread_id: str
    secrets: JsonObject
    """As `take_secrets` found them, with the caller's `token`."""
    visible: MetadataFilter


class Runs:
    """See the module's first line. Every method acts for one caller."""

    def __init__(self, parts: Parts, access: Access, facts: RequestFacts) -> None:
        self._parts = parts
        self._access = access
        self._facts = facts

    async def create(self, thread_id: str, body: JsonObject) -> Run:
        """Queue a run on a thread. `body` is the request as the SDK sends it. Raises `NotFound`, `Conflict`,
        `Unprocessable`, `InvalidRequest`, `TooMany`."""
        await self._check_webhook(body)
        admission = await self._admit(thread_id, body)
        thread = await self._parts.storage.threads.get(thread_id, admission.visible)
        create = thread is None and body.get("if_not_exists") == "create"
        if thread is None and not create:
            raise NotFound(NO_THREAD_OR_ASSISTANT)
        try:
            async with self._parts.thread_locks.of(thread_id):
                return await self._queue(admission, thread, create=create, temporary=False)
        except NotFound as error:
            raise NotFound(NO_THREAD_OR_ASSISTANT) from error

    async def create_stateless(self, body: JsonObject) -> Run:
        """Queue a run on a thread of its own, which goes with it unless `on_completion` is `keep`."""
        if (body.get("command") or {}).get("resume"):
            raise InvalidRequest("You must provide a thread_id when resuming.")
        await self._check_webhook(body)
        admission = await self._admit(new_id(), body)
        self._parts.log.open_new(admission.thread_id)
        temporary = body.get("on_completion") != "keep"
        return await self._queue(admission, None, create=True, temporary=temporary, stateless=True)

    async def create_batch(self, bodies: list[JsonObject]) -> list[Run]:
        """Queue many stateless runs; a bad one fails all before any is queued."""
        for body in bodies:
            await self._resolve(body)
            await self._check_webhook(body)
        return [await self.create_stateless(body) for body in bodies]

    async def fire_cron(self, cron: Cron, run_id: str) -> Run:
        """Queue the run of one firing; its id is made from the cron and the time, so a repeated firing is one run."""
        body = dict(cron.payload)
        body["metadata"] = {**cron.metadata, **body.get("metadata", {})}
        thread_id = cron.thread_id or new_id()
        admission = await self._admit(thread_id, body, run_id, sealed=cron.secrets)
        thread = await self._parts.storage.threads.get(thread_id) if cron.thread_id else None
        if cron.thread_id and thread is None:
            raise NotFound(f"Thread with ID {thread_id} not found")
        temporary = cron.thread_id is None and cron.on_run_completed != "keep"
        return await self._queue(
            admission,
            thread,
            create=cron.thread_id is None,
            temporary=temporary,
            stateless=cron.thread_id is None,
            cron_id=cron.cron_id,
        )

    async def _check_webhook(self, body: JsonObject) -> None:
        """Not for a cron's firing: its webhook was checked with the cron, and is again when it is called."""
        if body.get("webhook") is not None:
            await self._parts.webhook_policy.check(body["webhook"])

    async def _resolve(self, body: JsonObject) -> Assistant:
        return await Assistants(self._parts, self._access).resolve(body["assistant_id"])

    async def _admit(
        self, thread_id: str, body: JsonObject, run_id: str | None = None, sealed: bytes | None = None
    ) -> Admission:
        assistant = await self._resolve(body)
        if body.get("checkpoint_id") is not None and canonical_id(body["checkpoint_id"]) is None:
            raise Unprocessable("Invalid checkpoint ID")
        body, secrets = take_secrets(body, self._parts.settings.secret_config_keys)
        if self._access.caller.token:
            secrets = {**secrets, "token": self._access.caller.token}
        if sealed:
            secrets = merged(orjson.loads(self._parts.sealer.open(sealed)), secrets)
        run_id = run_id or new_id()
        value: JsonObject = {
            "thread_id": thread_id,
            "assistant_id": assistant.assistant_id,
            "run_id": run_id,
            "status": "pending",
            "metadata": own_metadata(body.get("metadata")),
            "multitask_strategy": body.get("multitask_strategy"),
            "if_not_exists": body.get("if_not_exists", "reject"),
            "after_seconds": body.get("after_seconds", 0),
            "kwargs": {
                "input": body.get("input"),
                "command": body.get("command"),
                "config": body.get("config"),
            },
        }
        visible = await self._access.check("threads", "create_run", value)
        return Admission(
            {**body, "metadata": value["metadata"]}, assistant, run_id, thread_id, secrets, visible
        )

    async def _queue(
        self,
        admission: Admission,
        thread: Thread | None,
        *,
        create: bool,
        temporary: bool,
        stateless: bool = False,
        cron_id: str | None = None,
    ) -> Run:
        parts, body, assistant = self._parts, admission.body, admission.assistant
        decided = admitted(
            body,
            assistant,
            {} if stateless else _thread_metadata(thread, assistant),
            thread.config if thread else {},
            {"run_id": admission.run_id, "thread_id": admission.thread_id},
            self._access.caller,
            self._facts,
            (parts.config_file.get("http") or {}).get("configurable_headers") or {},
            parts.settings.secret_config_keys,
        )
        secrets = merged(decided.secrets, admission.secrets)
        kwargs = _kwargs(body, decided.config, decided.context, temporary)
        new = NewRun(
            run_id=admission.run_id,
            thread_id=admission.thread_id,
            assistant_id=assistant.assistant_id,
            graph_id=assistant.graph_id,
            metadata=decided.metadata,
            kwargs=kwargs,
            caller=self._access.caller.to_json(),
            multitask_strategy=STRATEGIES.get(str(body.get("multitask_strategy")), "enqueue"),
            after_seconds=min(max(float(body.get("after_seconds") or 0), 0.0), LONGEST_DELAY_SECONDS),
            resumable=kwargs["resumable"],
            temporary=temporary,
            webhook=body.get("webhook"),
            secrets=parts.sealer.seal(orjson.dumps(secrets)) if secrets else None,
            # Before the insert: whatever the run says comes after this.
            ev_from=str(await parts.log.tail(admission.thread_id)),
            cron_id=cron_id,
        )
        stamp = {"graph_id": assistant.graph_id, "assistant_id": assistant.assistant_id}
        made_metadata = {
            **own_metadata((body.get("config") or {}).get("metadata")),
            **own_metadata(body.get("metadata")),
        }
        for_thread = ThreadForRun(
            create,
            {**made_metadata, **stamp} if create else stamp,
            decided.thread_config,
            None if temporary else ttl_rules(parts.settings, parts.config_file).default,
        )
        queued = await parts.storage.queue.create(new, for_thread, admission.visible)
        if body.get("feedback_keys"):
            logger.info(
                "feedback_keys are ignored: this server has no feedback", extra={"run_id": new.run_id}
            )
        self._tell(queued)
        return queued.run

    def _tell(self, queued: Queued) -> None:
        """After the commit: wake who claims, close what ended, hint to who executes what shall stop."""
        self._parts.notifier.run_queued()
        for ended in queued.ended:
            self._ended(ended)
        for run_id in queued.cancelling:
            self._parts.notifier.cancel_requested(run_id)
        self._parts.hooks.created(queued.run)

    def _ended(self, ended: EndedRun) -> None:
        self._parts.log.end(ended.thread_id, ended.run_id, attempt=1 << 30, resumable=False)

    async def get(self, thread_id: str, run_id: str) -> Run:
        """Raises `NotFound`."""
        await self._visible_thread(thread_id, "read")
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
        await self._visible_thread(query.thread_id, "read")
        return await self._parts.storage.runs.search(query)

    async def of_assistant(self, assistant_id: str, thread_id: str | None = None) -> list[tuple[Run, bool]]:
        """The newest runs of an assistant (on one thread, if given) that the caller may see, newest first; the flag
        says that its thread waits for an answer to this run's interrupt."""
        asked: JsonObject = {"metadata": {}} if thread_id is None else {"thread_id": thread_id}
        visible = await self._access.check("threads", "search" if thread_id is None else "read", asked)
        if asked.get("metadata"):
            visible = MetadataFilter({**visible.equal, **asked["metadata"]}, visible.test)
        return await self._parts.storage.runs.of_assistant(assistant_id, thread_id, visible, MOST_LISTED)

    async def _visible_thread(self, thread_id: str, action: str) -> Thread:
        visible = await self._access.check("threads", action, {"thread_id": thread_id})
        thread = await self._parts.storage.threads.get(thread_id, visible)
        if thread is None:
            raise NotFound(f"Thread with ID {thread_id} not found")
        return thread

    def stream(self, run: Run) -> AsyncIterator[bytes]:
        """SSE bytes of a run just created, from its beginning to its end."""
        after = EventId.parse(run.ev_from) or START
        return frames(follow(self._parts.log, run.thread_id, run.run_id, after))

    def events(self, run: Run) -> AsyncIterator[list[RunEvent]]:
        """The entries of a run just created, in batches, the closing one included: for surfaces with words of their
        own. A reader that is too far behind gets an `error` and the closing entry."""
        after = EventId.parse(run.ev_from) or START
        return unbroken(follow(self._parts.log, run.thread_id, run.run_id, after), run)

    async def wait(self, run: Run) -> bytes:
        """JSON of how a run just created ended: its last values, `{"__error__"}`, or values and `__interrupt__`."""
        after = EventId.parse(run.ev_from) or START
        seen = await outcome(follow(self._parts.log, run.thread_id, run.run_id, after))
        return seen.body() or b"{}"

    async def join_stream(
        self, run: Run, last_event_id: EventId | None, keep: Callable[[str], bool] | None
    ) -> AsyncIterator[bytes]:
        """SSE bytes of a run from now on, or after an event id (`START`: from its beginning) when it is resumable."""
        return frames(await self._join(run, last_event_id), keep)

    async def _join(self, run: Run, last_event_id: EventId | None) -> AsyncIterator[list[RunEvent]]:
        log = self._parts.log
        tail = await log.tail(run.thread_id)
        # Read after the tail was taken: a run that is active now has its closing entry still to come.
        current = await self._parts.storage.runs.get(run.run_id)
        active = current is not None and current.status in ACTIVE
        if last_event_id is None or not run.resumable:
            return follow(log, run.thread_id, run.run_id, tail, stored_only=not active)
        after = max(last_event_id, EventId.parse(run.ev_from) or START)
        return follow(log, run.thread_id, run.run_id, after, stored_only=not active)

    async def stream_thread(
        self, thread_id: str, after: EventId | None, modes: Collection[str]
    ) -> AsyncIterator[bytes]:
        """SSE bytes of all that happens on a thread from now on (or after an event), for ever. A thread that does not
        exist is silent for who may see all; for others it is like one that they may not see: `NotFound`. (It might
        become somebody else's.)"""
        visible = await self._access.check("threads", "read", {"thread_id": thread_id})
        threads = self._parts.storage.threads
        if not visible.is_everything and await threads.get(thread_id, visible) is None:
            raise NotFound(f"Thread with ID {thread_id} not found")
        start = await self._parts.log.tail(thread_id) if after is None else after
        return thread_frames(self._parts.log, thread_id, start, modes)

    async def join(self, run: Run) -> bytes:
        """JSON of how the run ends. Of a finished run: what its thread says now."""
        if run.status in ACTIVE:
            seen = await outcome(await self._join(run, None))
            body = seen.body()
            if body is not None:
                return body
        thread = await self._parts.storage.threads.get(run.thread_id)
        return _thread_says(thread)

    async def cancel(
        self, thread_id: str, run_id: str, action: CancelAction, *, wait: bool, reason: str | None = None
    ) -> Outcome | None:
        """Stop one run. With `wait`: once it has ended, what was seen since. Raises `NotFound` when there is no such
        run or it has ended."""
        visible = await self._access.check("threads", "update", {"thread_id": thread_id})
        thread = await self._parts.storage.threads.get(thread_id, visible)
        run = await self._parts.storage.runs.get(run_id, thread_id) if thread else None
        if run is None:
            raise NotFound(NOTHING_FOUND)
        tail = await self._parts.log.tail(thread_id)
        if not await self._cancel_one(run, action, reason or f"{action} requested via {CANCEL_ROUTE}"):
            raise NotFound(ALL_FINISHED)
        if not wait:
            return None
        return await outcome(follow(self._parts.log, thread_id, run_id, tail))

    async def cancel_many(
        self, status: str | None, thread_id: str | None, run_ids: list[str] | None, action: CancelAction
    ) -> None:
        """Stop runs by status, or some runs of a thread. Raises `NotFound` when none was there to stop."""
        visible = await self._access.check("threads", "update", {"thread_id": thread_id, "status": status})
        runs = await self._parts.storage.runs.matching(status, thread_id, run_ids, visible)
        if not runs:
            raise NotFound(NOTHING_FOUND)
        reason = f"{action} requested via POST /runs/cancel"
        stopped = [await self._cancel_one(run, action, reason) for run in runs]
        if not any(stopped):
            raise NotFound(ALL_FINISHED)

    async def _cancel_one(self, run: Run, action: CancelAction, reason: str) -> bool:
        """Whether there was anything to stop. The end of a pending run is told here, of a running one by its worker."""
        result, ended = await self._parts.storage.queue.cancel(run, action, reason)
        if result == "requested":
            self._parts.notifier.cancel_requested(run.run_id)
        if ended is not None:
            if run.temporary:
                await self._parts.storage.threads.delete(run.thread_id)
            await self._parts.log.tail(run.thread_id)
            self._ended(ended)
            if run.status == "running":
                self._parts.hooks.finished(run, Ending(ended.status, ended.error), now())
            self._parts.notifier.run_queued()
        return result in ("requested", "ended")

    async def cancel_disconnected(self, run: Run) -> None:
        """The client of the creating stream has gone, and asked for this."""
        reason = "client disconnected from the run stream (on_disconnect=cancel)"
        await self._cancel_one(run, "interrupt", reason)

    async def delete(self, thread_id: str, run_id: str) -> None:
        """Delete a run and the checkpoints it wrote; an active one is rolled back first, in the background."""
        visible = await self._access.check("threads", "delete", {"thread_id": thread_id, "run_id": run_id})
        thread = await self._parts.storage.threads.get(thread_id, visible)
        if thread is None and not visible.is_everything:
            raise NotFound
        run = await self._parts.storage.runs.get(run_id, thread_id)
        if run is None:
            raise NotFound("Run not found")
        if await self._cancel_one(run, "rollback", "the run was deleted"):
            return
        await self._parts.storage.checkpoints.delete_run(thread_id, run_id)
        await self._parts.storage.runs.delete(run_id)


def _thread_metadata(thread: Thread | None, assistant: Assistant) -> JsonObject:
    """What the run's metadata take over from its thread. One that nothing runs on belongs to the run's graph from now
    on, a busy one only when the run begins."""
    if thread is not None and thread.status == "busy":
        return thread.metadata
    return {**(thread.metadata if thread else {}), "graph_id": assistant.graph_id}


def _kwargs(body: JsonObject, config: JsonObject, context: JsonObject, temporary: bool) -> JsonObject:
    """A run's kwargs as clients see them."""
    during = body.get("checkpoint_during", True)
    return {
        "input": body.get("input"),
        "command": body.get("command"),
        "config": config,
        "context": context,
        "stream_mode": _stream_modes(body.get("stream_mode")),
        "interrupt_before": body.get("interrupt_before"),
        "interrupt_after": body.get("interrupt_after"),
        "webhook": body.get("webhook"),
        "feedback_keys": body.get("feedback_keys"),
        "temporary": temporary,
        "subgraphs": body.get("stream_subgraphs", False),
        "resumable": body.get("stream_resumable", False),
        "checkpoint_during": during,
        "durability": body.get("durability") or ("async" if during else "exit"),
    }


def _stream_modes(asked: Json) -> list[str]:
    if not asked:
        return ["values"]
    return [asked] if isinstance(asked, str) else list(asked)


def _thread_says(thread: Thread | None) -> bytes:
    """The body of a join after the fact."""
    if thread is None:
        return b"{}"
    if thread.status == "error" and thread.error is not None:
        return encode({"__error__": thread.error})
    if thread.interrupts:
        return encode({"__interrupt__": [one for task in thread.interrupts.values() for one in task]})
    return thread.values or b"{}"
