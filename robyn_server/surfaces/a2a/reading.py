"""The calls that only look at tasks, and the one that ends them. All raise `RpcError`."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from robyn_server.engine import Engine
from robyn_server.errors import NotFound
from robyn_server.resources.clock import iso, now
from robyn_server.resources.run_lifecycle import ACTIVE
from robyn_server.resources.types import Json, JsonObject
from robyn_server.surfaces.a2a.tasks import Task, Tasks, find_task, tasks_of, values_after
from robyn_server.wire.a2a.dialect import TASK_NOT_CANCELABLE, Dialect, State, read_state
from robyn_server.wire.a2a.history import Scope, Teller, text_part
from robyn_server.wire.a2a.incoming import read_history_length
from robyn_server.wire.a2a.task import TaskName
from robyn_server.wire.jsonrpc import INVALID_PARAMS, RpcError

LARGEST_PAGE = 100
USUAL_PAGE = 50
STOP_SECONDS = 5.0
"""How long a cancel waits for the work to stop before it answers."""

NEVER = 3_600
"""Seconds that the run which marks a task as canceled is put off; it is cancelled at once and never starts."""


@dataclass(frozen=True, slots=True)
class Reader:
    """Looks at the tasks of one assistant for one client."""

    engine: Engine
    assistant_id: str
    dialect: Dialect
    scope: Scope

    async def get(self, params: JsonObject) -> JsonObject:
        """`tasks/get`. The history is that of the time when the task's last run ended."""
        task, tasks = await self._named(params)
        length = read_history_length(params)
        name = self._name(task, params["id"])
        message = _remark(task)
        at = iso(task.newest.updated_at)
        said = None if message is None else name.says([text_part(message)], in_context=False)
        return name.document(
            name.status(task.state, at, said), await self._history(task, tasks.starts, length)
        )

    async def cancel(self, params: JsonObject) -> JsonObject:
        """`tasks/cancel`: stop what runs, or give up the task that waits for input."""
        task, _ = await self._named(params)
        run, runs = task.newest, self.engine.runs
        try:
            if task.state == "input-required":
                body = {
                    "assistant_id": self.assistant_id,
                    "after_seconds": NEVER,
                    "metadata": {"a2a": {"task_id": task.task_id}},
                }
                mark = await runs.create(task.context_id, body)
                await runs.cancel(mark.thread_id, mark.run_id, "interrupt", wait=False)
            elif run.status in ACTIVE:
                async with asyncio.timeout(STOP_SECONDS):
                    await runs.cancel(run.thread_id, run.run_id, "interrupt", wait=True)
            else:
                raise NotFound
        except TimeoutError:
            # The wish is recorded; work that is slow to stop ends when it can.
            pass
        except NotFound as error:
            raise RpcError(TASK_NOT_CANCELABLE, "Task is not cancelable in its current state") from error
        name = self._name(task, params["id"])
        said = name.says([text_part("Task was canceled")], in_context=False)
        return name.document(name.status("canceled", iso(now()), said), None)

    async def listing(self, params: JsonObject) -> JsonObject:
        """`ListTasks`, newest first."""
        query = ListQuery.read(params)
        tasks = await tasks_of(self.engine, self.assistant_id, query.context_id)
        found = [task for task in tasks.listed if query.wants(task)]
        page = found[query.offset : query.offset + query.size]
        following = query.offset + len(page)
        return {
            "tasks": [await self._listed(task, tasks, query) for task in page],
            "totalSize": len(found),
            "pageSize": len(page),
            "nextPageToken": str(following) if page and following < len(found) else "",
        }

    async def _listed(self, task: Task, tasks: Tasks, query: "ListQuery") -> JsonObject:
        name = self._name(task, task.task_id)
        history = await self._history(task, tasks.starts, query.history_length)
        document = name.document(name.status(task.state, iso(task.newest.updated_at)), history)
        # As on the reference: who asks for artifacts is not told that there are none.
        return document if query.include_artifacts else {**document, "artifacts": []}

    async def _named(self, params: JsonObject) -> tuple[Task, Tasks]:
        task_id, context_id = params.get("id"), params.get("contextId")
        if not task_id:
            raise RpcError(INVALID_PARAMS, "Missing required parameter: id (task_id)")
        if not isinstance(task_id, str) or not isinstance(context_id or "", str):
            raise RpcError(INVALID_PARAMS, "Task id and contextId must be strings")
        read_history_length(params)
        return await find_task(self.engine, self.assistant_id, task_id, context_id or None)

    def _name(self, task: Task, task_id: str) -> TaskName:
        return TaskName(self.dialect, task_id, task.context_id, self.assistant_id)

    async def _history(
        self, task: Task, starts: Mapping[str, str], length: int | None
    ) -> list[JsonObject] | None:
        if length == 0:
            return None
        teller = Teller(self.dialect, task.context_id, task.task_id, starts, self.scope, length)
        return teller.history(await values_after(self.engine, task.newest))


@dataclass(frozen=True, slots=True)
class ListQuery:
    """The parameters of `ListTasks`."""

    context_id: str | None
    state: State | None
    after: datetime | None
    size: int
    offset: int
    history_length: int | None
    include_artifacts: bool

    @classmethod
    def read(cls, params: JsonObject) -> "ListQuery":
        """Raises `RpcError`."""
        size = params.get("pageSize", USUAL_PAGE)
        if not isinstance(size, int) or not 1 <= size <= LARGEST_PAGE:
            raise RpcError(INVALID_PARAMS, f"pageSize must be an integer between 1 and {LARGEST_PAGE}.")
        return cls(
            _text(params, "contextId"),
            _state(params.get("status")),
            _moment(params.get("statusTimestampAfter")),
            size,
            _offset(_text(params, "pageToken")),
            read_history_length(params),
            bool(params.get("includeArtifacts")),
        )

    def wants(self, task: Task) -> bool:
        """Whether a task is to be listed."""
        if self.after is not None and task.newest.updated_at <= self.after:
            return False
        return self.state in (None, task.state)


def _remark(task: Task) -> str | None:
    if task.state == "completed":
        return "Task completed successfully"
    return f"Task failed with status: {task.newest.status}" if task.state == "failed" else None


def _text(params: JsonObject, name: str) -> str | None:
    value = params.get(name)
    if value is not None and not isinstance(value, str):
        raise RpcError(INVALID_PARAMS, f"{name} must be a string.")
    return value or None


def _state(status: Json) -> State | None:
    state = None if status is None else read_state(status)
    if status is not None and state is None:
        raise RpcError(INVALID_PARAMS, f"Invalid status value: '{status}'.")
    return state


def _offset(token: str | None) -> int:
    try:
        return max(0, int(token or 0))
    except ValueError as error:
        raise RpcError(INVALID_PARAMS, "Invalid pageToken.") from error


def _moment(text: Json) -> datetime | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except (TypeError, ValueError) as error:
        raise RpcError(INVALID_PARAMS, "statusTimestampAfter must be a valid ISO 8601 timestamp.") from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
