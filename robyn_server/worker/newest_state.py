"""What a thread's newest checkpoint says once a run on it has ended."""

import logging
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver

from robyn_server.engine.parts import Parts
from robyn_server.engine.snapshots import state_outcome
from robyn_server.errors import DomainError
from robyn_server.resources.run import Run
from robyn_server.resources.thread import StateOutcome
from robyn_server.worker.guarded_saver import GuardedSaver
from robyn_server.worker.run_caller import store_of_run

logger = logging.getLogger(__name__)

UNREADABLE = "State not readable after the run"


async def newest_state(parts: Parts, run: Run, stored: GuardedSaver | None = None) -> StateOutcome | None:
    """What the thread's row shall repeat; None when the thread has no checkpoint, or none that can be read.
    `stored` is what the run has put its checkpoints through, where the caller has it."""
    if run.temporary:
        return None
    saver = stored or parts.storage.checkpoints.saver()
    try:
        checkpoint_id = stored.progress.newest if stored is not None else None
        if checkpoint_id is None:
            checkpoint_id = await _newest_id(saver, run.thread_id)
    except Exception:
        # Our own checkpoints come back, and the end of the run waits for them; a saver of the project's own may not.
        if not parts.storage.checkpoints.of_project:
            raise
        logger.warning(UNREADABLE, extra={"run_id": run.run_id}, exc_info=True)
        return None
    if checkpoint_id is None:
        return None
    try:
        return await _state_at(parts, run, saver, checkpoint_id)
    except (DomainError, OSError):
        raise
    except Exception:
        # A factory may fail here as it did in the run; the run's end must be recorded all the same.
        logger.warning(UNREADABLE, extra={"run_id": run.run_id}, exc_info=True)
        return None


async def _newest_id(saver: BaseCheckpointSaver[Any], thread_id: str) -> str | None:
    found = await saver.aget_tuple({"configurable": {"thread_id": thread_id, "checkpoint_ns": ""}})
    return None if found is None else str(found.config["configurable"]["checkpoint_id"])


async def _state_at(
    parts: Parts, run: Run, saver: BaseCheckpointSaver[Any], checkpoint_id: str
) -> StateOutcome:
    # Read by its id, a checkpoint is shown as it was stored. Read as the newest, the writes of tasks that finished
    # in an unfinished step would be applied to it, and what a failed run was given would fail again.
    config: RunnableConfig = {
        "configurable": {"thread_id": run.thread_id, "checkpoint_ns": "", "checkpoint_id": checkpoint_id}
    }
    admitted: RunnableConfig = {"configurable": dict(run.kwargs["config"]["configurable"])}
    async with parts.graphs.open(
        run.graph_id, admitted, checkpointer=saver, store=store_of_run(parts, run), purpose="threads.read"
    ) as graph:
        return state_outcome(await graph.aget_state(config))
