"""Runs as rows: reading and deleting. What changes a run's state is in `run_queue.py`."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import get_args

from robyn_server.resources.metadata_filter import MetadataFilter
from robyn_server.resources.run import Run, RunSearch
from robyn_server.resources.run_lifecycle import ACTIVE, TERMINAL, RunStatus, ThreadStatus
from robyn_server.storage.db import Db, Row, Transition
from robyn_server.storage.dialect import Dialect, marks
from robyn_server.storage.thread_status import LEAVING, one_of

_NAMES = (
    "run_id seq thread_id assistant_id graph_id status metadata kwargs multitask_strategy created_at"
    " updated_at run_at attempt failures resumable temporary webhook lane priority caller secrets worker_id"
    " cancel_action cancel_reason ev_from started_at finished_at error cron_id"
).split()
COLUMNS = ", ".join(_NAMES)
"""What `read_run` reads, for SELECT and RETURNING."""

_TIMES = frozenset({"created_at", "updated_at", "run_at", "started_at", "finished_at"})
_JSON = frozenset({"metadata", "caller"})
_PRIVATE = frozenset({"kwargs", "error"})
_FLAGS = frozenset({"resumable", "temporary"})

NOT_HIDDEN = "(cancel_action IS NULL OR cancel_action <> 'rollback')"
"""A run that is being rolled back is gone for whoever reads."""

OF_LEAVING = f"EXISTS (SELECT 1 FROM thread WHERE thread.thread_id = run.thread_id AND {LEAVING})"
"""A run of a thread that is being deleted is, too."""

MOST_IDS = 500

WAITING: ThreadStatus = "interrupted"
LAST_SEQ = (1 << 63) - 1
PORTION = 1_000
"""Rows that are read at a time where not all of them may be seen."""


def read_run(dialect: Dialect, row: Row, *, private: bool = True) -> Run:
    """A row of `COLUMNS` as the noun. Without `private` what may be sealed is left for `opened_run`."""
    fields = dict(zip(_NAMES, row, strict=True))
    for name in _TIMES:
        fields[name] = dialect.read_moment(fields[name])
    for name in _JSON:
        fields[name] = dialect.read_json(fields[name])
    for name in _PRIVATE if private else ():
        fields[name] = dialect.read_private(fields[name])
    for name in _FLAGS:
        fields[name] = bool(fields[name])
    return Run(**fields)


def opened_run(dialect: Dialect, run: Run) -> Run:
    """The rest of `read_run`. Raises `CannotOpen`."""
    return replace(run, kwargs=dialect.read_private(run.kwargs), error=dialect.read_private(run.error))


class RunTable:
    """`interfaces.RunRows`."""

    def __init__(self, db: Db) -> None:
        self._db = db
        self._dialect = db.dialect

    async def get(self, run_id: str, thread_id: str | None = None) -> Run | None:
        """See `RunRows`."""
        rows = await self._db.glance(
            lambda: _select(
                self._dialect, f"run_id = ? AND {NOT_HIDDEN} AND NOT {OF_LEAVING}", (run_id,), "seq", 1
            )
        )
        found = next(iter(rows), None)
        return None if found is None or thread_id not in (None, found.thread_id) else found

    async def search(self, query: RunSearch) -> list[Run]:
        """See `RunRows`."""
        where, parameters = f"thread_id = ? AND {NOT_HIDDEN}", [query.thread_id]
        if query.status is not None:
            where, parameters = f"{where} AND status = ?", [*parameters, query.status]
        return await self._db.read(
            lambda: _select(self._dialect, where, parameters, "seq DESC", query.limit, query.offset)
        )

    async def active(self, thread_id: str) -> list[Run]:
        """See `RunRows`."""
        return await self._db.read(lambda: _active_of(self._dialect, "thread_id", thread_id))

    async def active_of(self, assistant_id: str) -> list[Run]:
        """See `RunRows`."""
        return await self._db.read(lambda: _active_of(self._dialect, "assistant_id", assistant_id))

    async def latest(self, thread_id: str) -> Run | None:
        """See `RunRows`; a run that is being rolled back does not count."""
        rows = await self._db.read(
            lambda: _select(self._dialect, f"thread_id = ? AND {NOT_HIDDEN}", (thread_id,), "seq DESC", 1)
        )
        return next(iter(rows), None)

    async def delete(self, run_id: str) -> bool:
        """See `RunRows`."""

        def transition() -> Transition[bool]:
            rows = yield (
                f"DELETE FROM run WHERE run_id = ? AND status IN {one_of(TERMINAL)} RETURNING run_id",
                (run_id,),
            )
            return bool(rows)

        return await self._db.write(transition)

    async def matching(
        self,
        status: str | None,
        thread_id: str | None,
        run_ids: Sequence[str] | None,
        visible: MetadataFilter,
    ) -> list[Run]:
        """See `RunRows`; oldest first."""
        return await self._db.read(lambda: _matching(self._dialect, status, thread_id, run_ids, visible))

    async def of_assistant(
        self, assistant_id: str, thread_id: str | None, visible: MetadataFilter, limit: int
    ) -> list[tuple[Run, bool]]:
        """See `RunRows`."""
        return await self._db.read(
            lambda: _of_assistant(self._dialect, assistant_id, thread_id, visible, limit)
        )

    async def delete_finished(self, before: datetime, limit: int) -> int:
        """See `RunRows`."""

        def transition() -> Transition[int]:
            rows = yield (
                "DELETE FROM run WHERE seq IN (SELECT seq FROM run WHERE finished_at IS NOT NULL AND"
                f" finished_at < ? AND status IN {one_of(TERMINAL)} ORDER BY finished_at LIMIT ?)"
                " RETURNING seq",
                (self._dialect.moment(before), limit),
            )
            return len(rows)

        return await self._db.write(transition)


def _select(
    dialect: Dialect, where: str, parameters: Sequence[object], order: str, limit: int, offset: int = 0
) -> Transition[list[Run]]:
    rows = yield (
        f"SELECT {COLUMNS} FROM run WHERE {where} ORDER BY {order} LIMIT ? OFFSET ?",
        (*parameters, limit, offset),
    )
    return [read_run(dialect, row) for row in rows]


def _active_of(dialect: Dialect, column: str, value: str) -> Transition[list[Run]]:
    # One SELECT for each status: each has a partial index.
    found: list[Run] = []
    for status in ACTIVE:
        rows = yield (f"SELECT {COLUMNS} FROM run WHERE {column} = ? AND status = '{status}'", (value,))
        found += [read_run(dialect, row) for row in rows]
    return sorted(found, key=lambda run: run.seq)


def _matching(
    dialect: Dialect,
    status: str | None,
    thread_id: str | None,
    run_ids: Sequence[str] | None,
    visible: MetadataFilter,
) -> Transition[list[Run]]:
    tests: list[str] = []
    parameters: list[object] = []
    if thread_id is not None:
        tests.append("run.thread_id = ?")
        parameters.append(thread_id)
    if status is None:
        portions = [tests]
    else:
        wanted = ACTIVE if status == "all" else tuple(word for word in get_args(RunStatus) if word == status)
        portions = [[*tests, f"run.status = '{word}'"] for word in wanted]
    found: list[Run] = []
    seen: dict[str, bool] = {}
    for portion in portions:
        for ids in _groups(run_ids):
            rows = yield _matching_statement(portion, parameters, ids)
            found += [
                read_run(dialect, row[:-1])
                for row in rows
                if _is_visible(dialect, row[2], row[-1], visible, seen)
            ]
    return sorted(found, key=lambda run: run.seq)


def _matching_statement(
    tests: Sequence[str], parameters: Sequence[object], ids: Sequence[str] | None
) -> tuple[str, Sequence[object]]:
    where = [*tests, NOT_HIDDEN] + ([] if ids is None else [f"run_id IN ({marks(len(ids))})"])
    columns = ", ".join(f"run.{name}" for name in _NAMES)
    return (
        f"SELECT {columns}, thread.metadata FROM run JOIN thread ON thread.thread_id = run.thread_id"
        f" WHERE {' AND '.join(where)}",
        [*parameters, *(ids or ())],
    )


def _of_assistant(
    dialect: Dialect, assistant_id: str, thread_id: str | None, visible: MetadataFilter, limit: int
) -> Transition[list[tuple[Run, bool]]]:
    columns = ", ".join(f"run.{name}" for name in _NAMES)
    waits = (
        f"thread.status = '{WAITING}' AND"
        " run.seq = (SELECT MAX(seq) FROM run AS other WHERE other.thread_id = run.thread_id)"
    )
    on_thread = "" if thread_id is None else " AND run.thread_id = ?"
    statement = (
        f"SELECT {columns}, {waits}, thread.metadata FROM run JOIN thread ON thread.thread_id = run.thread_id"
        f" WHERE run.assistant_id = ?{on_thread} AND run.seq < ? AND {NOT_HIDDEN} AND NOT ({LEAVING})"
        " ORDER BY run.seq DESC LIMIT ?"
    )
    found: list[tuple[Run, bool]] = []
    seen: dict[str, bool] = {}
    before = LAST_SEQ
    while len(found) < limit:
        rows = yield (
            statement,
            (assistant_id, *(() if thread_id is None else (thread_id,)), before, PORTION),
        )
        found += [
            (read_run(dialect, row[:-2]), bool(row[-2]))
            for row in rows
            if _is_visible(dialect, row[2], row[-1], visible, seen)
        ]
        if len(rows) < PORTION:
            break
        before = rows[-1][1]
    return found[:limit]


def _groups(run_ids: Sequence[str] | None) -> list[Sequence[str] | None]:
    if run_ids is None:
        return [None]
    return [run_ids[start : start + MOST_IDS] for start in range(0, len(run_ids), MOST_IDS)]


def _is_visible(
    dialect: Dialect, thread_id: str, metadata: object, visible: MetadataFilter, seen: dict[str, bool]
) -> bool:
    if visible.is_everything:
        return True
    if thread_id not in seen:
        seen[thread_id] = visible.allows(dialect.read_json(metadata))
    return seen[thread_id]
