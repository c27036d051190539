"""LangGraph's state snapshots in our nouns. Pure."""

from collections.abc import Mapping
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.types import Interrupt, PregelTask, StateSnapshot

from robyn_server.resources.encoding import encode
from robyn_server.resources.thread import StateOutcome, ThreadState
from robyn_server.resources.types import JsonObject

CHECKPOINT_KEYS = ("checkpoint_id", "thread_id", "checkpoint_ns", "checkpoint_map")


def state_outcome(snapshot: StateSnapshot) -> StateOutcome:
    """What the thread's row repeats of its newest checkpoint."""
    waiting = {task.id: interrupts(task.interrupts) for task in snapshot.tasks if task.interrupts}
    values = encode(snapshot.values) if snapshot.created_at is not None else None
    return StateOutcome(values, waiting, bool(snapshot.next))


def thread_state(snapshot: StateSnapshot) -> ThreadState:
    """A snapshot as `GET /threads/{id}/state` shows it. A thread that never ran has values `{}` and no checkpoint."""
    exists = snapshot.created_at is not None
    asked_for = "checkpoint_id" in snapshot.config.get("configurable", {})
    return ThreadState(
        values=snapshot.values,
        next=list(snapshot.next),
        tasks=[_task(task) for task in snapshot.tasks],
        metadata=dict(snapshot.metadata) if snapshot.metadata is not None else None,
        created_at=snapshot.created_at,
        checkpoint=checkpoint_of(snapshot.config) if exists or asked_for else None,
        parent_checkpoint=checkpoint_of(snapshot.parent_config) if snapshot.parent_config else None,
        interrupts=interrupts(snapshot.interrupts),
    )


def checkpoint_of(config: RunnableConfig | Mapping[str, Any]) -> JsonObject:
    """The checkpoint that a config names."""
    configurable = config.get("configurable", {})
    return {key: configurable[key] for key in CHECKPOINT_KEYS if key in configurable}


def interrupts(found: tuple[Interrupt, ...]) -> list[JsonObject]:
    """Interrupts in their two-key form."""
    return [{"id": interrupt.id, "value": interrupt.value} for interrupt in found]


def _task(task: PregelTask) -> JsonObject:
    state: JsonObject | None = None
    checkpoint: JsonObject | None = None
    if isinstance(task.state, StateSnapshot):
        state = state_document(thread_state(task.state))
    elif task.state:
        checkpoint = checkpoint_of(task.state)
    error = task.error
    return {
        "id": task.id,
        "name": task.name,
        "path": task.path,
        "error": repr(error) if isinstance(error, BaseException) else error,
        "interrupts": interrupts(task.interrupts),
        "checkpoint": checkpoint,
        "state": state,
        "result": task.result,
    }


def state_document(state: ThreadState) -> JsonObject:
    """A thread state as clients see it, keys in the reference's order."""
    return {
        "values": state.values,
        "next": state.next,
        "tasks": state.tasks,
        "metadata": state.metadata,
        "created_at": state.created_at,
        "checkpoint": state.checkpoint,
        "parent_checkpoint": state.parent_checkpoint,
        "interrupts": state.interrupts,
        "checkpoint_id": (state.checkpoint or {}).get("checkpoint_id"),
        "parent_checkpoint_id": (state.parent_checkpoint or {}).get("checkpoint_id"),
    }
