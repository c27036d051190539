"""Stopping runs: a worker is told of the wish, and what no worker holds ends here."""

from robyn_server.engine.parts import Parts
from robyn_server.events.interfaces import EventLog
from robyn_server.resources.clock import now
from robyn_server.resources.run import EndedRun, Ending, Run
from robyn_server.resources.run_lifecycle import CancelAction


async def stop_run(parts: Parts, run: Run, action: CancelAction, reason: str) -> bool:
    """Whether there was anything to stop. The end of a pending run is told here, of a running one by its worker."""
    result, ended = await parts.storage.queue.cancel(run, action, reason)
    if result == "requested":
        parts.notifier.cancel_requested(run.run_id)
    if ended is not None:
        if run.temporary:
            await parts.storage.threads.delete(run.thread_id)
        await parts.log.open(run.thread_id)
        close_run(parts.log, ended)
        if run.status == "running":
            parts.hooks.finished(run, Ending(ended.status, ended.error), now())
        parts.notifier.run_queued()
    return result in ("requested", "ended")


def close_run(log: EventLog, ended: EndedRun) -> None:
    """Tell the log of a run that ended without a worker: no attempt can come after this."""
    log.end(ended.thread_id, ended.run_id, attempt=1 << 30, resumable=False)
