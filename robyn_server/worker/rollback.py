"""Undoes what a run has written, where the checkpoints can do that."""

import logging

from robyn_server.errors import NotSupported
from robyn_server.resources.run import Run
from robyn_server.storage.checkpoints.interfaces import Checkpoints

logger = logging.getLogger(__name__)


async def roll_back(checkpoints: Checkpoints, run: Run) -> None:
    """`Checkpoints.delete_run`. Where that is not supported the run's checkpoints stay, as the start has warned: the
    strategy of another run asks for it, or the deletion of a thread, which takes all of them."""
    try:
        await checkpoints.delete_run(run.thread_id, run.run_id)
    except NotSupported as refusal:
        logger.info("Run not rolled back: %s", refusal.message, extra={"run_id": run.run_id})
