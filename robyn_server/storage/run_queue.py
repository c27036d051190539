"""The run queue: who gets which run, and every change of a run's state."""

import asyncio
import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

from robyn_server.errors import Unavailable
from robyn_server.resources.metadata_filter import EVERYTHING, MetadataFilter
from robyn_server.resources.run import (
    CancelOutcome,
    Census,
    EndedRun,
    Ending,
    Finished,
    Held,
    NewRun,
    Queued,
    Run,
    ThreadForRun,
)
from robyn_server.resources.run_lifecycle import CancelAction
from robyn_server.resources.thread import StateOutcome
from robyn_server.resources.types import JsonObject
from robyn_server.storage.db import Db, Transition
from robyn_server.storage.dialect import Dialect
from robyn_server.storage.encryption.cipher import CannotOpen
from robyn_server.storage.run_census import census_of
from robyn_server.storage.run_create import create_run, stamp_graph
from robyn_server.storage.run_endings import (
    FENCE,
    LONG_AGO,
    cancel_run,
    fence,
    finish_rollback_of,
    finish_run,
    let_lease_go,
    recover_run,
)
from robyn_server.storage.runs import COLUMNS, opened_run, read_run
from robyn_server.storage.thread_status import PENDING, RUNNING

logger = logging.getLogger(__name__)

UNREADABLE: JsonObject = {"error": "CannotOpen", "message": CannotOpen.default}


def not_blocked(dialect: Dialect) -> str:
    """SQL test: nothing runs on the thread of pending run `r`, and nothing on it waits to be rolled back."""
    return f"""NOT EXISTS (SELECT 1 FROM run x {dialect.by("run_active")}
                  WHERE x.thread_id = r.thread_id AND x.status = '{RUNNING}')
  AND NOT EXISTS (SELECT 1 FROM run u {dialect.by("run_unwanted")}
                  WHERE u.thread_id = r.thread_id AND u.status = '{PENDING}' AND u.cancel_action IS NOT NULL)"""


class SqlRunQueue:
    """`interfaces.RunQueue`."""

    def __init__(self, db: Db, pending_per_thread: int) -> None:
        self._db = db
        self._dialect = db.dialect
        self._pending_per_thread = pending_per_thread

    async def create(self, new: NewRun, thread: ThreadForRun, visible: MetadataFilter = EVERYTHING) -> Queued:
        """See `RunQueue`."""
        return await self._db.write(
            lambda: create_run(self._dialect, new, thread, visible, self._pending_per_thread)
        )

    async def claim(self, worker_id: str, lease: timedelta, free: Mapping[str, int]) -> list[Run]:
        """See `RunQueue`. A run whose row cannot be decrypted any more ends with an error."""
        claimed, strangers = await self._db.write(lambda: claim_runs(self._dialect, worker_id, lease, free))
        for run in strangers:
            try:
                await self._db.write(partial(stamp_graph, self._dialect, run))
            except Unavailable:
                # Its state can be read all the same once it has run; the claim stands.
                logger.warning(
                    "Thread not given its run's graph", extra={"run_id": run.run_id}, exc_info=True
                )
        if not claimed or not self._dialect.cipher.seals:
            return claimed
        # Not on the writer's thread: the keys of other people's runs may be slow to come, or never.
        readable, lost = await asyncio.to_thread(_opened, self._dialect, claimed)
        for run in lost:
            await self.finish(replace(run, kwargs={}), Ending("error", UNREADABLE, UNREADABLE))
        return readable

    async def heartbeat(self, worker_id: str, lease: timedelta, run_ids: Collection[str]) -> list[Held]:
        """See `RunQueue`."""
        return await self._db.write(lambda: heartbeat_of(self._dialect, worker_id, lease, run_ids))

    async def finish(self, run: Run, ending: Ending) -> Finished | None:
        """See `RunQueue`. The lease of a run that the sweeper has to roll back is ended."""
        return await self._db.write(lambda: finish_run(self._dialect, run, ending))

    async def retry(self, run: Run, delay: timedelta, error: JsonObject, most: int) -> bool:
        """See `RunQueue`."""
        return await self._db.write(lambda: _retry(self._dialect, run, delay, error, most))

    async def hand_back(self, run: Run) -> bool:
        """See `RunQueue`. A run that was asked to stop is left to the sweeper. False: not held any more."""
        return await self._db.write(lambda: _hand_back(self._dialect, run))

    async def cancel(
        self, run: Run, action: CancelAction, reason: str
    ) -> tuple[CancelOutcome, EndedRun | None]:
        """See `RunQueue`. A run whose lease is over is interrupted at once."""
        return await self._db.write(lambda: cancel_run(self._dialect, run, action, reason))

    async def expired(self, now: datetime, limit: int = 100) -> list[Run]:
        """See `RunQueue`."""
        return await self._db.read(lambda: expired_runs(self._dialect, now, limit))

    async def recover(
        self, run: Run, now: datetime, most: int, state: StateOutcome | None = None
    ) -> EndedRun | None:
        """See `RunQueue`."""
        return await self._db.write(lambda: recover_run(self._dialect, run, now, most, state))

    async def release_all(self) -> int:
        """See `RunQueue`; how many leases were ended."""
        return await self._db.write(lambda: _release_all(self._dialect))

    async def finish_rollback(self, run: Run, ending: Ending) -> EndedRun | None:
        """See `RunQueue`."""
        return await self._db.write(lambda: finish_rollback_of(self._dialect, run, ending))

    async def next_due(self) -> datetime | None:
        """See `RunQueue`. May lie in the past, when every slot of a lane is taken."""
        return await self._db.read(lambda: next_due_moment(self._dialect))

    async def census(self, now: datetime) -> Census:
        """See `RunQueue`."""
        return await self._db.read(lambda: census_of(self._dialect, now))


def claim_statement(dialect: Dialect) -> str:
    """Takes lane, how many, worker id and lease seconds; returns `COLUMNS` and the thread's metadata (NULL for a
    temporary one). A future run blocks nobody, so only earlier runs that are due count; across lanes too, for a
    thread's runs go in the order of creation whatever their lane."""
    # In a WITH, so that the rows are chosen (and locked) once, however the UPDATE is planned. The CAST changes
    # nothing, but without it SQLite reads all threads: it uses no index for a column that RETURNING names.
    return f"""WITH chosen AS (
  SELECT r.seq FROM run r {dialect.by("run_due")}
  WHERE r.status = '{PENDING}' AND r.lane = ? AND r.run_at <= {dialect.now}
  AND {not_blocked(dialect)}
  AND NOT EXISTS (SELECT 1 FROM run y {dialect.by("run_due_thread")} WHERE y.thread_id = r.thread_id
                  AND y.status = '{PENDING}' AND y.seq < r.seq AND y.run_at <= {dialect.now})
  ORDER BY r.priority DESC, r.run_at, r.seq LIMIT ?{dialect.skip_locked})
UPDATE run SET status = '{RUNNING}', worker_id = ?, attempt = attempt + 1,
  lease_until = {dialect.plus("?")}, started_at = COALESCE(started_at, {dialect.now}),
  updated_at = {dialect.now}
WHERE seq IN (SELECT seq FROM chosen)
RETURNING {COLUMNS},
  CASE WHEN temporary THEN NULL
  ELSE (SELECT t.metadata FROM thread t WHERE t.thread_id = CAST(run.thread_id AS TEXT)) END"""


def _opened(dialect: Dialect, runs: Sequence[Run]) -> tuple[list[Run], list[Run]]:
    """Those that can be decrypted, and the others."""
    readable: list[Run] = []
    lost: list[Run] = []
    for run in runs:
        try:
            readable.append(opened_run(dialect, run))
        except CannotOpen:
            logger.exception("A run cannot be decrypted", extra={"run_id": run.run_id})
            lost.append(run)
    return readable, lost


def claim_runs(
    dialect: Dialect, worker_id: str, lease: timedelta, free: Mapping[str, int]
) -> Transition[tuple[list[Run], list[Run]]]:
    """See `RunQueue.claim`; with encryption the runs are still to be opened. The second list: those of another graph
    than their thread's."""
    if dialect.pin:
        yield dialect.pin, ()
    claimed: list[Run] = []
    strangers: list[Run] = []
    for lane, count in free.items():
        if count > 0:
            rows = yield claim_statement(dialect), (lane, count, worker_id, lease.total_seconds())
            for *columns, metadata in rows:
                run = read_run(dialect, tuple(columns), private=not dialect.cipher.seals)
                claimed.append(run)
                # NULL for a temporary run, whose thread is its own.
                if metadata is not None and dialect.read_json(metadata).get("graph_id") != run.graph_id:
                    strangers.append(run)
    return sorted(claimed, key=lambda run: (-run.priority, run.run_at, run.seq)), strangers


def heartbeat_of(
    dialect: Dialect, worker_id: str, lease: timedelta, run_ids: Collection[str]
) -> Transition[list[Held]]:
    """See `RunQueue.heartbeat`."""
    rows = yield (
        f"UPDATE run SET lease_until = {dialect.plus('?')} WHERE worker_id = ? AND status = '{RUNNING}'"
        f" AND run_id IN {dialect.members} RETURNING run_id, attempt, cancel_action, cancel_reason",
        (lease.total_seconds(), worker_id, dialect.json(list(run_ids))),
    )
    return [Held(*row) for row in rows]


def _retry(dialect: Dialect, run: Run, delay: timedelta, error: JsonObject, most: int) -> Transition[bool]:
    rows = yield (
        f"UPDATE run SET status = '{PENDING}', failures = failures + 1, worker_id = NULL, lease_until = NULL,"
        f" run_at = {dialect.plus('?')}, error = ?, updated_at = {dialect.now}"
        f" WHERE {FENCE} AND failures < ? AND cancel_action IS NULL RETURNING run_id",
        (delay.total_seconds(), dialect.private(error), *fence(run), most),
    )
    return bool(rows)


def _hand_back(dialect: Dialect, run: Run) -> Transition[bool]:
    rows = yield (
        f"UPDATE run SET status = '{PENDING}', worker_id = NULL, lease_until = NULL,"
        f" updated_at = {dialect.now} WHERE {FENCE} AND cancel_action IS NULL RETURNING run_id",
        fence(run),
    )
    return bool(rows) or (yield from let_lease_go(dialect, run))


def expired_runs(dialect: Dialect, now: datetime, limit: int) -> Transition[list[Run]]:
    """See `RunQueue.expired`."""
    lost = yield (
        f"SELECT {COLUMNS} FROM run WHERE status = '{RUNNING}' AND lease_until < ?"
        " ORDER BY lease_until LIMIT ?",
        (dialect.moment(now), limit),
    )
    unwanted = yield (
        f"SELECT {COLUMNS} FROM run WHERE status = '{PENDING}' AND cancel_action IS NOT NULL LIMIT ?",
        (limit - len(lost),),
    )
    runs = [read_run(dialect, row, private=False) for row in (*lost, *unwanted)]
    return _opened(dialect, runs)[0]


def _release_all(dialect: Dialect) -> Transition[int]:
    rows = yield (
        f"UPDATE run SET worker_id = NULL, lease_until = ? WHERE status = '{RUNNING}' RETURNING seq",
        (dialect.moment(LONG_AGO),),
    )
    return len(rows)


def next_due_moment(dialect: Dialect) -> Transition[datetime | None]:
    """See `SqlRunQueue.next_due`."""
    if dialect.pin:
        yield dialect.pin, ()
    rows = yield (
        f"SELECT r.run_at FROM run r {dialect.by('run_due_at')} WHERE r.status = '{PENDING}' AND {not_blocked(dialect)}"
        " ORDER BY r.run_at LIMIT 1",
        (),
    )
    return dialect.read_moment(rows[0][0]) if rows else None
