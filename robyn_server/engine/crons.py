"""Crons: runs on a schedule. They are fired by `worker/duties/cron_scheduler.py`."""

from dataclasses import replace
from datetime import datetime

import orjson

from robyn_server.auth.secrets import merged, take_secrets
from robyn_server.engine.access import Access
from robyn_server.engine.assistants import Assistants
from robyn_server.engine.parts import Parts
from robyn_server.errors import InvalidRequest, NotFound
from robyn_server.resources.assistant import Assistant
from robyn_server.resources.cron import Cron, CronSearch
from robyn_server.resources.ids import new_id
from robyn_server.resources.page import Page
from robyn_server.resources.reserved import own_configurable, own_metadata
from robyn_server.resources.schedule import check_schedule, moment, next_firing
from robyn_server.resources.types import JsonObject


class Crons:
    """Crons as one caller may see and change them."""

    def __init__(self, parts: Parts, access: Access) -> None:
        self._rows = parts.storage.crons
        self._now = parts.storage.now
        self._threads = parts.storage.threads
        self._assistants = Assistants(parts, access)
        self._sealer = parts.sealer
        self._webhook_policy = parts.webhook_policy
        self._secret_names = parts.settings.secret_config_keys
        self._access = access

    async def create(self, body: JsonObject, *, thread_id: str | None = None) -> Cron:
        """A cron from a request body (schedule, assistant_id and whatever its runs shall be created with); with
        `thread_id` every run goes to that thread.

        Raises `NotFound` (assistant, thread), `Unprocessable` (schedule, time zone).
        """
        assistant = await self._assistant(body["assistant_id"])
        schedule, timezone = body["schedule"], body.get("timezone")
        check_schedule(schedule, timezone)
        await self._check_webhook(body)
        if thread_id is not None:
            await self._check_thread(thread_id)
        cron_id, created_at = new_id(), self._now()
        body, secrets = take_secrets(body, self._secret_names)
        if self._access.caller.token:
            secrets["token"] = self._access.caller.token
        payload = _payload({**body, "assistant_id": assistant.assistant_id}, cron_id)
        asked: JsonObject = {
            "payload": payload,
            "schedule": schedule,
            "cron_id": cron_id,
            "thread_id": thread_id,
            "user_id": self._access.caller.identity,
            "end_time": body.get("end_time"),
            "metadata": dict(payload.get("metadata", {})),
        }
        await self._access.check("crons", "create", asked)
        created = await self._rows.create(
            Cron(
                cron_id=cron_id,
                assistant_id=assistant.assistant_id,
                thread_id=thread_id,
                user_id=self._access.caller.identity,
                schedule=schedule,
                timezone=timezone,
                end_time=body.get("end_time"),
                ends_at=moment(body.get("end_time")),
                payload=asked["payload"],
                metadata=asked["metadata"] or {},
                on_run_completed=body.get("on_run_completed", "delete") if thread_id is None else None,
                enabled=body.get("enabled", True),
                next_run_at=next_firing(schedule, timezone, created_at),
                created_at=created_at,
                updated_at=created_at,
                caller=self._access.caller.to_json(),
                secrets=self._sealed(secrets, None),
            )
        )
        if created is None:
            raise NotFound("Its assistant or thread was deleted meanwhile.")
        return created

    async def get(self, cron_id: str) -> Cron:
        """Raises `NotFound`."""
        visible = await self._access.check("crons", "read", {"cron_id": cron_id, "metadata": {}})
        found = await self._rows.get(cron_id, visible)
        if found is None:
            raise NotFound
        return found

    async def update(self, cron_id: str, body: JsonObject) -> Cron:
        """Lay a request body over the cron and its payload; its assistant stays.

        Raises `NotFound`, `InvalidRequest` (nothing to change), `Unprocessable` (schedule, time zone).
        """
        if not body:
            raise InvalidRequest("Request body cannot be empty")
        await self._check_webhook(body)
        changes, secrets = take_secrets(body, self._secret_names)
        changes.pop("assistant_id", None)
        asked: JsonObject = {
            "cron_id": cron_id,
            "payload": changes,
            "schedule": body.get("schedule"),
            "metadata": own_metadata(changes.get("metadata")),
        }
        visible = await self._access.check("crons", "update", asked)

        def change(cron: Cron) -> Cron:
            changed = _changed(cron, changes, asked["metadata"], self._now())
            return replace(changed, secrets=self._sealed(secrets, cron.secrets))

        cron = await self._rows.change(cron_id, change, visible)
        if cron is None:
            raise NotFound(f"Cron '{cron_id}' not found")
        return cron

    async def delete(self, cron_id: str) -> None:
        """Raises `NotFound`."""
        visible = await self._access.check("crons", "delete", {"cron_id": cron_id, "metadata": {}})
        if not await self._rows.delete(cron_id, visible):
            raise NotFound

    async def search(self, query: CronSearch) -> Page[Cron]:
        """Crons that match, a page of them."""
        return await self._rows.search(await self._allowed(query))

    async def count(self, query: CronSearch) -> int:
        """How many match, whatever the paging."""
        return await self._rows.count(await self._allowed(query))

    def _sealed(self, secrets: JsonObject, before: bytes | None) -> bytes | None:
        """What a cron keeps of its secrets, new ones laid over those it had."""
        if not secrets:
            return before
        had = orjson.loads(self._sealer.open(before)) if before else {}
        return self._sealer.seal(orjson.dumps(merged(had, secrets)))

    async def _assistant(self, assistant_id: str) -> Assistant:
        assistant = await self._assistants.find(assistant_id)
        if assistant is None:
            raise NotFound(f"Assistant '{assistant_id}' not found")
        return assistant

    async def _check_webhook(self, body: JsonObject) -> None:
        if body.get("webhook") is not None:
            await self._webhook_policy.check(body["webhook"])

    async def _check_thread(self, thread_id: str) -> None:
        visible = await self._access.check("threads", "read", {"thread_id": thread_id})
        if await self._threads.get(thread_id, visible) is None:
            raise NotFound(
                f"Thread with ID '{thread_id}' not found. Please verify the ID is correct and the thread hasn't been "
                "deleted or expired."
            )

    async def _allowed(self, query: CronSearch) -> CronSearch:
        asked: JsonObject = {
            "assistant_id": query.assistant_id,
            "thread_id": query.thread_id,
            "metadata": dict(query.metadata),
            "limit": query.limit,
            "offset": query.offset,
        }
        visible = await self._access.check("crons", "search", asked)
        return replace(query, metadata=asked["metadata"] or {}, visible=visible)


def _changed(cron: Cron, changes: JsonObject, metadata: JsonObject | None, at: datetime) -> Cron:
    schedule = changes.get("schedule", cron.schedule)
    timezone = changes.get("timezone", cron.timezone)
    next_run_at = cron.next_run_at
    if "schedule" in changes or "timezone" in changes:
        check_schedule(schedule, timezone)
        next_run_at = next_firing(schedule, timezone, at)
    end_time = changes.get("end_time", cron.end_time)
    on_run_completed = cron.on_run_completed
    if cron.thread_id is None:
        on_run_completed = changes.get("on_run_completed", on_run_completed)
    return replace(
        cron,
        schedule=schedule,
        timezone=timezone,
        end_time=end_time,
        ends_at=moment(end_time),
        payload=_payload({**cron.payload, **changes}, cron.cron_id),
        metadata={**cron.metadata, **(metadata or {})},
        on_run_completed=on_run_completed,
        enabled=changes.get("enabled", cron.enabled),
        next_run_at=next_run_at,
        updated_at=at,
    )


def _payload(body: JsonObject, cron_id: str) -> JsonObject:
    """What a run is created with, and what clients see: the body without reserved keys, naming its cron."""
    payload = dict(body)
    if "metadata" in payload:
        payload["metadata"] = own_metadata(payload["metadata"])
    if "context" in payload:
        payload["context"] = own_configurable(payload["context"])
    config = dict(payload.get("config") or {})
    if isinstance(config.get("metadata"), dict):
        config["metadata"] = own_metadata(config["metadata"])
    config["configurable"] = {**own_configurable(config.get("configurable")), "cron_id": cron_id}
    payload["config"] = config
    return payload
