"""The transition that queues a run: its thread, its multitask strategy, its row."""

from dataclasses import dataclass

from robyn_server.errors import Conflict, NotFound, TooMany
from robyn_server.resources.metadata_filter import MetadataFilter
from robyn_server.resources.run import EndedRun, NewRun, Queued, Run, ThreadForRun
from robyn_server.resources.types import JsonObject
from robyn_server.storage.db import Row, TakenElsewhere, Transition
from robyn_server.storage.dialect import Dialect, marks
from robyn_server.storage.meta_index import write_index
from robyn_server.storage.run_endings import CANCELLED, end_pending, lock_thread, request_stop
from robyn_server.storage.thread_status import BUSY, HAS_ACTIVE_RUNS, LEAVING, PENDING

BUSY_TEXT = (
    "Thread is already running a task. Wait for it to finish or choose a different multitask strategy."
)


@dataclass(frozen=True, slots=True)
class _ThreadRow:
    busy: bool
    metadata: JsonObject
    config: JsonObject


def create_run(
    dialect: Dialect, new: NewRun, thread: ThreadForRun, visible: MetadataFilter, most_pending: int
) -> Transition[Queued]:
    """See `RunQueue.create`."""
    if thread.create and (yield from _make_thread(dialect, new, thread)):
        return Queued((yield from _insert_run(dialect, new)))
    row = yield from _lock_thread(dialect, new.thread_id, visible)
    ended: tuple[EndedRun, ...] = ()
    cancelling: tuple[str, ...] = ()
    if row.busy:
        ended, cancelling = yield from _apply_strategy(dialect, new, most_pending)
    run = yield from _insert_run(dialect, new)
    yield from _occupy_thread(dialect, new, thread, row)
    return Queued(run, ended, cancelling)


def _make_thread(dialect: Dialect, new: NewRun, thread: ThreadForRun) -> Transition[bool]:
    metadata = _stamped(thread.metadata, new)
    seconds = thread.ttl.ttl.total_seconds() if thread.ttl else None
    rows = yield (
        "INSERT INTO thread(thread_id, status, metadata, config, interrupts, last_failed, has_next, settled,"
        " copied, created_at, updated_at, ttl_seconds, ttl_strategy, expires_at)"
        f" VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, {dialect.now}, {dialect.now}, ?, ?, {dialect.plus('?')})"
        " ON CONFLICT (thread_id) DO NOTHING RETURNING thread_id",
        (
            new.thread_id,
            BUSY,
            dialect.json(metadata),
            dialect.private(thread.config),
            dialect.private({}),
            *(False, False, False, False),
            *(seconds, thread.ttl.strategy if thread.ttl else None, seconds),
        ),
    )
    if rows:
        yield from write_index(dialect, "thread", new.thread_id, metadata, new=True)
    return bool(rows)


def _lock_thread(dialect: Dialect, thread_id: str, visible: MetadataFilter) -> Transition[_ThreadRow]:
    # Locked before it is looked at: a statement that waits for the lock would see the runs of before its wait.
    if dialect.enter:
        rows = yield f"SELECT {dialect.enter} FROM thread WHERE thread_id = ?" + dialect.lock, (thread_id,)
        if rows and not rows[0][0]:
            raise TakenElsewhere
    rows = yield (
        f"SELECT {HAS_ACTIVE_RUNS}, metadata, config FROM thread WHERE thread_id = ? AND NOT ({LEAVING})",
        (thread_id,),
    )
    if rows:
        busy, metadata, config = rows[0]
        row = _ThreadRow(bool(busy), dialect.read_json(metadata), dialect.read_private(config))
        if visible.allows(row.metadata):
            return row
    raise NotFound(f"Thread with ID {thread_id} not found")


def _stamped(metadata: JsonObject, new: NewRun) -> JsonObject:
    return {**metadata, "graph_id": new.graph_id, "assistant_id": new.assistant_id}


def _occupy_thread(dialect: Dialect, new: NewRun, thread: ThreadForRun, row: _ThreadRow) -> Transition[None]:
    """The thread is busy, and of the new run's graph unless it was busy before."""
    metadata, config = row.metadata, row.config
    if not row.busy:
        metadata, config = _stamped(metadata, new), {**config, **thread.config}
    yield (
        f"UPDATE thread SET status = ?, metadata = ?, config = ?, updated_at = {dialect.now},"
        f" expires_at = CASE WHEN ttl_seconds IS NULL THEN expires_at ELSE {dialect.plus('ttl_seconds')} END"
        " WHERE thread_id = ?",
        (BUSY, dialect.json(metadata), dialect.private(config), new.thread_id),
    )
    if metadata != row.metadata:
        yield from write_index(dialect, "thread", new.thread_id, metadata)


def stamp_graph(dialect: Dialect, run: Run) -> Transition[None]:
    """A run that was queued behind others makes its graph the thread's when it starts: state is read with it. A
    transaction of its own, for whoever claims holds run rows, and the thread's comes before them."""
    yield from lock_thread(dialect, run.thread_id)
    rows = yield "SELECT metadata FROM thread WHERE thread_id = ?", (run.thread_id,)
    if not rows:
        return
    metadata = dialect.read_json(rows[0][0])
    metadata["graph_id"] = run.graph_id
    yield "UPDATE thread SET metadata = ? WHERE thread_id = ?", (dialect.json(metadata), run.thread_id)
    yield from write_index(dialect, "thread", run.thread_id, metadata)


def _apply_strategy(
    dialect: Dialect, new: NewRun, most_pending: int
) -> Transition[tuple[tuple[EndedRun, ...], tuple[str, ...]]]:
    """What the strategy ends at once, and what it asks to stop. The pending runs come first: a claim that
    goes between the two is then seen by the second statement."""
    strategy = new.multitask_strategy
    if strategy == "reject":
        raise Conflict(BUSY_TEXT)
    if strategy == "enqueue":
        rows = yield (
            f"SELECT count(*) FROM run WHERE thread_id = ? AND status = '{PENDING}'",
            (new.thread_id,),
        )
        if rows[0][0] >= most_pending:
            raise TooMany(
                f"The thread has {most_pending} pending runs already; let some of them finish first."
            )
        return (), ()
    ids = yield from end_pending(dialect, "thread_id", new.thread_id, strategy)
    status = None if strategy == "rollback" else CANCELLED
    reason = f"superseded by run {new.run_id} (multitask_strategy={strategy})"
    stopping = yield from request_stop(dialect, "thread_id", new.thread_id, strategy, reason)
    return tuple(EndedRun(run_id, new.thread_id, status) for run_id in ids), tuple(stopping)


def _insert_run(dialect: Dialect, new: NewRun) -> Transition[Run]:
    # A delayed run counts as created when it becomes due, as on the reference; its place in the thread is
    # `seq`.
    due = dialect.plus("?")
    columns = {
        "run_id": new.run_id,
        "thread_id": new.thread_id,
        "assistant_id": new.assistant_id,
        "graph_id": new.graph_id,
        "cron_id": new.cron_id,
        "scheduled_for": dialect.moment(new.scheduled_for),
        "status": PENDING,
        "metadata": dialect.json(new.metadata),
        "kwargs": dialect.private(new.kwargs),
        "multitask_strategy": new.multitask_strategy,
        "resumable": new.resumable,
        "temporary": new.temporary,
        "webhook": new.webhook,
        "lane": new.lane,
        "priority": new.priority,
        "caller": dialect.json(new.caller),
        "secrets": new.secrets,
        "ev_from": new.ev_from,
    }
    rows = yield (
        f"INSERT INTO run({', '.join(columns)}, updated_at, created_at, run_at)"
        f" VALUES ({marks(len(columns))}, {dialect.now}, {due}, {due})"
        " ON CONFLICT DO NOTHING RETURNING seq, created_at, updated_at, run_at",
        (*columns.values(), new.after_seconds, new.after_seconds),
    )
    if not rows:
        raise Conflict(f"Run {new.run_id} already exists.")
    return _as_created(dialect, new, rows[0])


def _as_created(dialect: Dialect, new: NewRun, row: Row) -> Run:
    """The run as its row says, without reading back what was just written."""
    seq, *moments = row
    created_at, updated_at, run_at = (dialect.read_moment(moment) for moment in moments)
    assert created_at and updated_at and run_at, "the columns are NOT NULL"
    return Run(
        run_id=new.run_id,
        seq=seq,
        thread_id=new.thread_id,
        assistant_id=new.assistant_id,
        graph_id=new.graph_id,
        status=PENDING,
        metadata=new.metadata,
        kwargs=new.kwargs,
        multitask_strategy=new.multitask_strategy,
        created_at=created_at,
        updated_at=updated_at,
        run_at=run_at,
        attempt=0,
        failures=0,
        resumable=new.resumable,
        temporary=new.temporary,
        webhook=new.webhook,
        lane=new.lane,
        priority=new.priority,
        caller=new.caller,
        secrets=new.secrets,
        worker_id=None,
        cancel_action=None,
        cancel_reason=None,
        ev_from=new.ev_from,
        started_at=None,
        finished_at=None,
        error=None,
        cron_id=new.cron_id,
    )
