"""How a message is answered: with the task once its run has ended, or with a stream of updates."""

from collections.abc import AsyncIterator

import orjson

from robyn_server.engine import Engine
from robyn_server.engine.run_stream import Outcome
from robyn_server.resources.clock import iso, now
from robyn_server.resources.event import END_OF_RUN, RunEvent
from robyn_server.resources.types import Json, JsonObject
from robyn_server.surfaces.a2a.sending import Sent
from robyn_server.wire.a2a.dialect import State
from robyn_server.wire.a2a.history import ROLES, Scope, Teller, parts_of, text_part
from robyn_server.wire.a2a.task import interrupt_artifact, response_parts

STREAMED = ("messages/partial", "messages/complete")


async def task_when_done(engine: Engine, sent: Sent, scope: Scope, history_length: int | None) -> JsonObject:
    """Wait for the run; the result of `message/send`."""
    values: Json = orjson.loads(await engine.runs.wait(sent.run))
    if not isinstance(values, dict):
        values = {}
    name = sent.name
    teller = Teller(name.dialect, name.context_id, name.task_id, sent.starts, scope, history_length)
    history = None if history_length == 0 else teller.history(values)
    state = await _state(engine, sent, values)
    if state == "failed":
        text = f"Error executing assistant: {values['__error__'].get('error')}"
        status = name.status(state, None, name.says([text_part(text)]))
        return name.dialect.sent(name.document(status, history))
    document = name.document(name.status(state, iso(now())), history)
    if state == "input-required":
        document["artifacts"] = [interrupt_artifact(values["__interrupt__"])]
    elif state == "completed":
        if not sent.resumed:
            values.setdefault("messages", [])
        document["artifacts"] = [name.response(response_parts(values))]
    return name.dialect.sent(document)


async def updates(engine: Engine, sent: Sent, message: JsonObject) -> AsyncIterator[list[JsonObject]]:
    """Follow the run; the results of `message/stream`, in batches. `message` is the client's own object."""
    yield [sent.name.submitted(message, iso(now()))]
    seen = Outcome()
    async for batch in engine.runs.events(sent.run):
        seen.see(batch)
        found = [update for entry in batch for update in _working(sent, entry)]
        if found:
            yield found
        if batch[-1].event == END_OF_RUN:
            break
    yield await _ending(engine, sent, seen)


def _working(sent: Sent, entry: RunEvent) -> list[JsonObject]:
    """What the agent has said so far. Files are shown in the artifact only."""
    if entry.event.partition("|")[0] not in STREAMED:
        return []
    found: list[JsonObject] = []
    for message in orjson.loads(entry.data):
        if ROLES.get(message.get("type")) != "agent":
            continue
        parts = [part for part in parts_of(message) if part["kind"] != "file"]
        if parts:
            status = sent.name.status("working", iso(now()), sent.name.says(parts))
            found.append(sent.name.status_update(status, final=False))
    return found


async def _ending(engine: Engine, sent: Sent, seen: Outcome) -> list[JsonObject]:
    values: Json = orjson.loads(seen.body() or b"{}")
    name = sent.name
    state = await _state(engine, sent, values)
    if state == "failed":
        text = str(values["__error__"].get("message"))
        status = name.status(state, iso(now()), name.says([text_part(text)]))
        return [name.status_update(status, final=True)]
    last = name.status_update(name.status(state, iso(now())), final=True)
    if state == "input-required":
        return [name.artifact_update(interrupt_artifact(values["__interrupt__"])), last]
    if state == "completed":
        artifact = name.artifact_update(name.response(response_parts(values)))
        return [{**artifact, "append": False, "lastChunk": True}, last]
    return [last]


async def _state(engine: Engine, sent: Sent, values: Json) -> State:
    """What became of the run; that it was cancelled is told by its row alone."""
    row = await engine.runs.find(sent.run.thread_id, sent.run.run_id)
    if row is None or row.status == "interrupted":
        return "canceled"
    if "__error__" in values:
        return "failed"
    return "input-required" if "__interrupt__" in values else "completed"
