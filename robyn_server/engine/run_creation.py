"""Creating runs: admission, then the queue. Every door goes through here: a thread's runs, stateless ones, crons."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass

import orjson

from robyn_server.auth.secrets import merged, take_secrets
from robyn_server.engine.access import Access
from robyn_server.engine.assistants import Assistants
from robyn_server.engine.parts import Parts
from robyn_server.engine.run_config import AdmittedConfig, admitted
from robyn_server.engine.run_ending import close_run
from robyn_server.engine.thread_ttl import ttl_rules
from robyn_server.errors import InvalidRequest, NotFound, Unavailable, Unprocessable
from robyn_server.resources.assistant import Assistant
from robyn_server.resources.cron import Cron
from robyn_server.resources.event import START, EventId
from robyn_server.resources.ids import canonical_id, new_id
from robyn_server.resources.metadata_filter import MetadataFilter
from robyn_server.resources.request_facts import RequestFacts
from robyn_server.resources.reserved import own_metadata
from robyn_server.resources.run import NewRun, Queued, Run, ThreadForRun
from robyn_server.resources.run_lifecycle import MultitaskStrategy
from robyn_server.resources.thread import Thread
from robyn_server.resources.types import Json, JsonObject

logger = logging.getLogger(__name__)

NO_THREAD_OR_ASSISTANT = "Thread or assistant not found."
LONGEST_DELAY_SECONDS = 100 * 366 * 86_400.0
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


class RunCreation:
    """The four ways to create a run, for one caller."""

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
            async with self._parts.storage.thread_locks.here(thread_id):
                return await self._queue(admission, thread, create=create, temporary=False)
        except NotFound as error:
            raise NotFound(NO_THREAD_OR_ASSISTANT) from error

    async def create_stateless(self, body: JsonObject) -> Run:
        """Queue a run on a thread of its own, which goes with it unless `on_completion` is `keep`."""
        return await self._queue_stateless(await self._admit_stateless(body))

    async def create_batch(self, bodies: list[JsonObject]) -> list[Run]:
        """Queue many stateless runs; a bad one fails all before any is queued."""
        admissions = [await self._admit_stateless(body) for body in bodies]
        return [await self._queue_stateless(admission) for admission in admissions]

    async def _admit_stateless(self, body: JsonObject) -> Admission:
        if (body.get("command") or {}).get("resume"):
            raise InvalidRequest("You must provide a thread_id when resuming.")
        await self._check_webhook(body)
        return await self._admit(new_id(), body)

    async def _queue_stateless(self, admission: Admission) -> Run:
        temporary = admission.body.get("on_completion") != "keep"
        return await self._queue(admission, None, create=True, temporary=temporary, stateless=True)

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
        async with self._parts.storage.thread_locks.here(thread_id):
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

    async def _admit(
        self, thread_id: str, body: JsonObject, run_id: str | None = None, sealed: bytes | None = None
    ) -> Admission:
        assistant = await Assistants(self._parts, self._access).resolve(body["assistant_id"])
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
        strategy = STRATEGIES.get(str(body.get("multitask_strategy")), "enqueue")
        decided = self._decided(admission, thread, stateless=stateless)
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
            multitask_strategy=strategy,
            after_seconds=min(max(float(body.get("after_seconds") or 0), 0.0), LONGEST_DELAY_SECONDS),
            resumable=kwargs["resumable"],
            temporary=temporary,
            webhook=body.get("webhook"),
            secrets=parts.sealer.seal(orjson.dumps(secrets)) if secrets else None,
            # Before the insert: whatever the run says comes after this.
            ev_from=str(await self._place(admission.thread_id, is_new=stateless)),
            cron_id=cron_id,
        )
        for_thread = ThreadForRun(
            create,
            _left_on_thread(body, assistant, create),
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

    def _decided(self, admission: Admission, thread: Thread | None, *, stateless: bool) -> AdmittedConfig:
        """What the graph will see as its config."""
        return admitted(
            admission.body,
            admission.assistant,
            {} if stateless else _thread_metadata(thread, admission.assistant),
            thread.config if thread else {},
            {"run_id": admission.run_id, "thread_id": admission.thread_id},
            self._access.caller,
            self._facts,
            (self._parts.config_file.get("http") or {}).get("configurable_headers") or {},
            self._parts.settings.secret_config_keys,
        )

    async def _place(self, thread_id: str, *, is_new: bool) -> EventId:
        """Where the run's entries begin. Without a log there is still a run; its readers then look further back."""
        if is_new:
            return self._parts.log.open_new(thread_id)
        try:
            return await self._parts.log.tail(thread_id)
        except Unavailable:
            return START

    def _tell(self, queued: Queued) -> None:
        """After the commit: wake who claims, close what ended, hint to who executes what shall stop."""
        self._parts.notifier.run_queued()
        for ended in queued.ended:
            close_run(self._parts.log, ended)
        for run_id in queued.cancelling:
            self._parts.notifier.cancel_requested(run_id)
        self._parts.hooks.created(queued.run)


def _thread_metadata(thread: Thread | None, assistant: Assistant) -> JsonObject:
    """What the run's metadata take over from its thread. One that nothing runs on belongs to the run's graph from now
    on, a busy one only when the run begins."""
    if thread is not None and thread.status == "busy":
        return thread.metadata
    return {**(thread.metadata if thread else {}), "graph_id": assistant.graph_id}


def _left_on_thread(body: JsonObject, assistant: Assistant, create: bool) -> JsonObject:
    """What the thread's metadata take over from the run: whose it is, and when it makes the thread all that it says."""
    stamp: JsonObject = {"graph_id": assistant.graph_id, "assistant_id": assistant.assistant_id}
    if not create:
        return stamp
    of_config = own_metadata((body.get("config") or {}).get("metadata"))
    return {**of_config, **own_metadata(body.get("metadata")), **stamp}


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
