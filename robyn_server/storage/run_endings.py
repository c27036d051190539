"""Transitions that end a run, and what an ending does to its thread. Lock order: thread row, then run
rows."""

from dataclasses import replace
from datetime import UTC, datetime

from robyn_server.resources.run import CancelOutcome, EndedRun, Ending, Finished, Run
from robyn_server.resources.run_lifecycle import ACTIVE, CancelAction, RunStatus
from robyn_server.resources.thread import StateOutcome
from robyn_server.resources.types import JsonObject
from robyn_server.storage.db import Row, Transition
from robyn_server.storage.dialect import Dialect
from robyn_server.storage.runs import NOT_HIDDEN
from robyn_server.storage.thread_status import BUSY, PENDING, RUNNING, refresh_status, status_from

FENCE = f"run_id = ? AND worker_id = ? AND attempt = ? AND status = '{RUNNING}'"
"""Whoever writes for a run shows that it still holds it; `fence` gives the parameters."""

ROLLED_BACK = "cancel_action = 'rollback'"

LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)

CANCELLED: RunStatus = "interrupted"
"""What a run is that was cancelled, and not rolled back."""

WORKER_LOST: JsonObject = {
    "error": "WorkerLost",
    "message": "The worker stopped while it executed this run, and no attempts are left.",
}


def fence(run: Run) -> tuple[object, ...]:
    """Parameters of `FENCE`."""
    return (run.run_id, run.worker_id, run.attempt)


def lock_thread(dialect: Dialect, thread_id: str) -> Transition[None]:
    """Hold the thread's row, where the database locks rows."""
    if dialect.lock:
        yield "SELECT 1 FROM thread WHERE thread_id = ?" + dialect.lock, (thread_id,)


def finish_run(dialect: Dialect, run: Run, ending: Ending) -> Transition[Finished | None]:
    """See `RunQueue.finish`."""
    yield from lock_thread(dialect, run.thread_id)
    held = FENCE if ending.status is None else f"{FENCE} AND {NOT_HIDDEN}"
    if run.temporary:
        rows = yield (
            f"DELETE FROM thread WHERE thread_id = ? AND EXISTS (SELECT 1 FROM run WHERE {held}) RETURNING 1",
            (run.thread_id, *fence(run)),
        )
    elif ending.status is None:
        rows = yield f"DELETE FROM run WHERE {held} RETURNING 1", fence(run)
    else:
        rows = yield from _end_where(dialect, held, fence(run), ending)
    if not rows:
        # A wish to roll back that came while the worker was finishing: the sweeper has to carry it out.
        yield from let_lease_go(dialect, run)
        return None
    more_waits = False if run.temporary else (yield from _end_on_thread(dialect, run.thread_id, ending))
    return Finished(more_waits)


def let_lease_go(dialect: Dialect, run: Run) -> Transition[bool]:
    """End the lease of a run with a wish to stop it, so that the sweeper settles it next. False: not held."""
    rows = yield (
        f"UPDATE run SET worker_id = NULL, lease_until = ? WHERE {FENCE} AND cancel_action IS NOT NULL"
        " RETURNING run_id",
        (dialect.moment(LONG_AGO), *fence(run)),
    )
    return bool(rows)


def cancel_run(
    dialect: Dialect, run: Run, action: CancelAction, reason: str
) -> Transition[tuple[CancelOutcome, EndedRun | None]]:
    """See `RunQueue.cancel`."""
    yield from lock_thread(dialect, run.thread_id)
    if (yield from end_pending(dialect, "run_id", run.run_id, action)):
        yield from refresh_status(dialect, run.thread_id)
        return "ended", _ended(run, None if action == "rollback" else CANCELLED)
    if (yield from request_stop(dialect, "run_id", run.run_id, action, reason)):
        return (yield from _stop_now_if_lost(dialect, run, action, reason))
    rows = yield "SELECT status FROM run WHERE run_id = ?", (run.run_id,)
    if not rows:
        return "missing", None
    return ("requested" if rows[0][0] in ACTIVE else "finished"), None


def _stop_now_if_lost(
    dialect: Dialect, run: Run, action: CancelAction, reason: str
) -> Transition[tuple[CancelOutcome, EndedRun | None]]:
    """A worker whose lease is over will not come to stop the run."""
    if action == "rollback":
        return "requested", None
    ending = _cancelled(reason)
    rows = yield from _end_where(
        dialect, f"run_id = ? AND status = '{RUNNING}' AND lease_until < {dialect.now}", (run.run_id,), ending
    )
    if not rows:
        return "requested", None
    yield from _end_on_thread(dialect, run.thread_id, ending)
    return "ended", _ended(run, CANCELLED, ending.error)


def end_pending(dialect: Dialect, column: str, key: str, action: CancelAction) -> Transition[list[str]]:
    """End the pending runs that `column = key` names and that nobody wants; the ids of those that ended.
    Rolling back one that has been attempted takes more than this: its checkpoints go first
    (`request_stop`)."""
    where = f"{column} = ? AND status = '{PENDING}' AND cancel_action IS NULL"
    if action == "rollback":
        rows = yield f"DELETE FROM run WHERE {where} AND attempt = 0 RETURNING run_id", (key,)
    else:
        rows = yield from _end_where(dialect, where, (key,), Ending(CANCELLED))
    return [row[0] for row in rows]


def request_stop(
    dialect: Dialect, column: str, key: str, action: CancelAction, reason: str
) -> Transition[list[str]]:
    """Record the wish on the runs that `column = key` names; the ids of those that did not have it yet. A
    rollback takes the place of an interrupt, never the other way round."""
    wanted = "cancel_action IS NULL" if action == "interrupt" else NOT_HIDDEN
    stopped: list[str] = []
    for status in (PENDING, RUNNING) if action == "rollback" else (RUNNING,):
        rows = yield (
            f"UPDATE run SET cancel_action = ?, cancel_reason = ?, updated_at = {dialect.now}"
            f" WHERE {column} = ? AND status = '{status}' AND {wanted} RETURNING run_id",
            (action, reason, key),
        )
        stopped += [row[0] for row in rows]
    return stopped


def recover_run(
    dialect: Dialect, run: Run, now: datetime, most: int, state: StateOutcome | None = None
) -> Transition[EndedRun | None]:
    """See `RunQueue.recover`."""
    yield from lock_thread(dialect, run.thread_id)
    lost = f"run_id = ? AND status = '{RUNNING}' AND lease_until < ?"
    key = (run.run_id, dialect.moment(now))
    rows = yield f"SELECT failures, cancel_action, cancel_reason FROM run WHERE {lost}" + dialect.lock, key
    if not rows or rows[0][1] == "rollback":
        return None
    failures, wish, reason = rows[0]
    if wish is None and failures < most:
        yield (
            f"UPDATE run SET status = '{PENDING}', failures = failures + 1, worker_id = NULL,"
            f" lease_until = NULL, updated_at = {dialect.now} WHERE {lost}",
            key,
        )
        return None
    ending = _cancelled(reason) if wish else Ending("error", error=WORKER_LOST, run_error=WORKER_LOST)
    ending = replace(ending, state=state)
    yield from _end_where(dialect, lost, key, ending)
    yield from _end_on_thread(dialect, run.thread_id, ending)
    return _ended(run, ending.status, ending.error)


def finish_rollback_of(dialect: Dialect, run: Run, ending: Ending) -> Transition[EndedRun | None]:
    """See `RunQueue.finish_rollback`."""
    yield from lock_thread(dialect, run.thread_id)
    rows = yield (
        f"DELETE FROM run WHERE run_id = ? AND {ROLLED_BACK} AND (status = '{PENDING}'"
        f" OR (status = '{RUNNING}' AND lease_until < {dialect.now})) RETURNING run_id",
        (run.run_id,),
    )
    if not rows:
        return None
    yield from _end_on_thread(dialect, run.thread_id, ending)
    return _ended(run, None, ending.error)


def _cancelled(reason: str) -> Ending:
    return Ending(CANCELLED, error={"error": "UserInterrupt", "message": reason})


def _ended(run: Run, status: RunStatus | None, error: JsonObject | None = None) -> EndedRun:
    return EndedRun(run.run_id, run.thread_id, status, error)


def _end_where(
    dialect: Dialect, where: str, parameters: tuple[object, ...], ending: Ending
) -> Transition[list[Row]]:
    return (
        yield (
            f"UPDATE run SET status = ?, error = ?, worker_id = NULL, lease_until = NULL, secrets = NULL,"
            f" finished_at = {dialect.now}, updated_at = {dialect.now} WHERE {where} RETURNING run_id",
            (ending.status, dialect.private(ending.run_error), *parameters),
        )
    )


def _end_on_thread(dialect: Dialect, thread_id: str, ending: Ending) -> Transition[bool]:
    """Whether the thread has other active runs."""
    has_next = "thread.has_next" if ending.state is None else str(ending.state.has_next).upper()
    changes = (
        f"error = ?, last_failed = ?, settled = settled OR ?, copied = FALSE, state_updated_at = {dialect.now},"
        f" updated_at = {dialect.now}, status = {status_from(str(ending.failed).upper(), has_next)},"
        f" expires_at = CASE WHEN ttl_seconds IS NULL THEN expires_at ELSE {dialect.plus('ttl_seconds')} END"
    )
    parameters = [dialect.private(ending.error), ending.failed, ending.status is not None]
    if ending.state is not None:
        changes += ', "values" = COALESCE(?, "values"), interrupts = ?, has_next = ?'
        parameters += [
            dialect.private_bytes(ending.state.values),
            dialect.private(ending.state.interrupts),
            ending.state.has_next,
        ]
    rows = yield f"UPDATE thread SET {changes} WHERE thread_id = ? RETURNING status", (*parameters, thread_id)
    return bool(rows) and rows[0][0] == BUSY
