"""Tasks out of runs. A task is the run that a message began and the runs that later messages to it began; their
metadata says so: `a2a.task_start_id` marks a beginning, `a2a.task_id` a continuation."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import orjson

from robyn_server.engine import Engine
from robyn_server.errors import NotFound
from robyn_server.resources.encoding import encode
from robyn_server.resources.ids import canonical_id
from robyn_server.resources.run import Run
from robyn_server.resources.run_lifecycle import RunStatus
from robyn_server.resources.types import Json
from robyn_server.wire.a2a.dialect import ENDED, TASK_NOT_FOUND, State
from robyn_server.wire.jsonrpc import RpcError

STATES: Mapping[RunStatus, State] = {
    "pending": "submitted",
    "running": "working",
    "success": "completed",
    "error": "failed",
    "timeout": "failed",
    "interrupted": "canceled",
}


@dataclass(frozen=True, slots=True)
class Task:
    """A task as its newest run leaves it."""

    context_id: str
    first_run_id: str
    newest: Run
    state: State

    @property
    def task_id(self) -> str:
        """`<thread id>:<run id>`."""
        return f"{self.context_id}:{self.first_run_id}"

    @property
    def is_over(self) -> bool:
        """Whether it takes no more messages."""
        return self.state in ENDED


@dataclass(frozen=True, slots=True)
class Tasks:
    """Some tasks of an assistant, newest first. `starts`: start id -> id of the task it began."""

    listed: tuple[Task, ...]
    starts: Mapping[str, str]

    def find(self, first_run_id: str) -> Task | None:
        """The task that this run began."""
        return next((task for task in self.listed if task.first_run_id == first_run_id), None)


async def tasks_of(engine: Engine, assistant_id: str, context_id: str | None = None) -> Tasks:
    """The tasks of an assistant that the caller may see, in one context if given."""
    if context_id is not None and canonical_id(context_id) is None:
        return Tasks((), {})
    return _grouped(await engine.runs.of_assistant(assistant_id, context_id))


async def find_task(
    engine: Engine, assistant_id: str, task_id: str, context_id: str | None = None
) -> tuple[Task, Tasks]:
    """A task, and those of its context. With a context, the id may be that of the run alone. Raises `RpcError`."""
    thread_id, colon, run_id = task_id.rpartition(":")
    where = (thread_id if colon else context_id) or ""
    if context_id in (None, where):
        tasks = await tasks_of(engine, assistant_id, where)
        task = tasks.find(run_id)
        if task is not None:
            return task, tasks
    raise no_task(task_id, context_id)


def no_task(task_id: str, context_id: str | None = None) -> RpcError:
    """There is no such task for this caller."""
    inside = "" if context_id is None else f" in context '{context_id}'"
    return RpcError(TASK_NOT_FOUND, f"Task not found: {task_id}{inside}")


async def values_after(engine: Engine, run: Run) -> Json:
    """The values of the thread as this run left them, None when it has left nothing."""
    try:
        states = await engine.states.history(run.thread_id, limit=1, metadata={"run_id": run.run_id})
    except NotFound:
        return None
    return orjson.loads(encode(states[0].values)) if states else None


def _grouped(runs: Sequence[tuple[Run, bool]]) -> Tasks:
    newest: dict[tuple[str, str], tuple[Run, bool]] = {}
    starts: dict[str, str] = {}
    for run, waits in runs:
        marks = run.metadata.get("a2a")
        marks = marks if isinstance(marks, dict) else {}
        first_run_id = str(marks.get("task_id") or run.run_id).rpartition(":")[2]
        newest.setdefault((run.thread_id, first_run_id), (run, waits))
        if "task_start_id" in marks and "task_id" not in marks:
            # Runs that are no message's inherit the mark of their thread: the oldest has it by right.
            starts[marks["task_start_id"]] = f"{run.thread_id}:{first_run_id}"
    tasks = tuple(
        Task(thread_id, first_run_id, run, _state(run, waits))
        for (thread_id, first_run_id), (run, waits) in newest.items()
    )
    return Tasks(tasks, starts)


def _state(run: Run, waits: bool) -> State:
    return "input-required" if waits and run.status == "success" else STATES[run.status]
