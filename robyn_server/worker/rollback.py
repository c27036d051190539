"""Undoes what a run has written, where the checkpoints can do that."""

import logging

from robyn_server.errors import NotSupported
from robyn_server.resources.run import Run
from robyn_server.storage.interfaces import Checkpoints

logger = logging.getLogger(__name__)


async def roll_back(checkpoints: Checkpoints, run: Run) -> None:
    """`Checkpoints.delete_run`. Where that is not supported the run's checkpoints stay: clients cannot ask for it then,
    so the thread is being deleted with all of them, or the run begins again."""
    try:
        await checkpoints.delete_run(run.thread_id, run.run_id)
    except NotSupported as refusal:
        logger.info("Run not rolled back: %s", refusal.message, extra={"run_id": run.run_id})
