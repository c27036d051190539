"""A message becomes a run."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from robyn_server.engine import Engine
from robyn_server.resources.assistant import Assistant
from robyn_server.resources.ids import canonical_id, new_id, random_id
from robyn_server.resources.run import Run
from robyn_server.resources.types import Json, JsonObject
from robyn_server.surfaces.a2a.agent_card import assistant_of, input_schema_of
from robyn_server.surfaces.a2a.tasks import Task, find_task, no_task, tasks_of
from robyn_server.wire.a2a.dialect import TASK_ENDED, Dialect
from robyn_server.wire.a2a.incoming import Content, Message, read_content
from robyn_server.wire.a2a.task import TaskName
from robyn_server.wire.jsonrpc import INVALID_PARAMS, REFUSALS, RpcError, refusal

INTERRUPT_ID = re.compile("[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class Sent:
    """A message under way. `starts` as in `Tasks`; `resumed`: it answered an interrupt."""

    run: Run
    name: TaskName
    starts: Mapping[str, str]
    resumed: bool


async def send(
    engine: Engine, assistant_id: str, message: Message, dialect: Dialect, modes: list[str]
) -> Sent:
    """Begin the run of a message; `modes` are the stream modes it is followed with. Raises `RpcError`."""
    assistant = await assistant_of(engine, assistant_id)
    start_id = new_id()
    content = read_content(message, start_id)
    if content.needs_messages:
        await _check_talks(engine, assistant)
    task, starts = await _earlier(engine, assistant_id, message)
    if task is None and content.data.get("resume") is not None:
        raise RpcError(INVALID_PARAMS, "contextId and taskId are required when resuming a task")
    context_id = task.context_id if task else message.context_id or random_id()
    resume = content.resume() if task is not None and task.state == "input-required" else None
    body: JsonObject = {
        "assistant_id": assistant_id,
        "if_not_exists": "create",
        "stream_mode": modes,
        "metadata": {"a2a": {"task_id": task.task_id} if task else {"task_start_id": start_id}},
        **_work(content, resume),
    }
    run = await _begin(engine, context_id, body)
    task_id = task.task_id if task else f"{run.thread_id}:{run.run_id}"
    return Sent(
        run,
        TaskName(dialect, task_id, run.thread_id, assistant_id),
        {**starts, start_id: task_id},
        resume is not None,
    )


async def _check_talks(engine: Engine, assistant: Assistant) -> None:
    try:
        schema = await input_schema_of(engine, assistant)
    except REFUSALS as error:
        raise refusal(error) from error
    fields = list((schema or {}).get("properties") or ())
    if "messages" not in fields:
        raise RpcError(
            INVALID_PARAMS,
            f"Assistant '{assistant.assistant_id}' (graph '{assistant.graph_id}') does not support A2A conversational "
            "messages. Graph input schema must include a 'messages' field to accept text or file parts. Available "
            f"input fields: {fields}",
        )


async def _earlier(
    engine: Engine, assistant_id: str, message: Message
) -> tuple[Task | None, Mapping[str, str]]:
    """The task that the message goes to, None when it begins one, and the starts of the tasks of its context."""
    if message.task_id is None:
        tasks = await tasks_of(engine, assistant_id, message.context_id) if message.context_id else None
        return None, tasks.starts if tasks else {}
    task, tasks = await find_task(engine, assistant_id, message.task_id)
    if message.context_id not in (None, task.context_id):
        raise no_task(message.task_id)
    if task.is_over:
        raise RpcError(TASK_ENDED, "A terminal task cannot accept another message")
    return task, tasks.starts


def _work(content: Content, resume: Json) -> JsonObject:
    if resume is None:
        return {"input": content.input()}
    return {"input": {}, "command": {"resume": _answers(resume)}}


def _answers(resume: Json) -> Json:
    """Answers to parallel interrupts, `[{"id", "value"}]`, in the form that LangGraph takes."""
    by_id = isinstance(resume, list) and bool(resume)
    by_id = by_id and all(
        isinstance(one, dict)
        and one.keys() == {"id", "value"}
        and INTERRUPT_ID.fullmatch(str(one["id"])) is not None
        for one in resume
    )
    return {one["id"]: one["value"] for one in resume} if by_id else resume


async def _begin(engine: Engine, context_id: str, body: JsonObject) -> Run:
    thread_id = canonical_id(context_id)
    if thread_id is None:
        raise RpcError(INVALID_PARAMS, "Failed to create run: Invalid thread ID")
    try:
        return await engine.runs.create(thread_id, body)
    except REFUSALS as error:
        raise refusal(error, "Failed to create run: ") from error
