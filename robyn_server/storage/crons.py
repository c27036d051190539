"""Crons as rows."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from robyn_server.resources.cron import Cron, CronSearch
from robyn_server.resources.metadata_filter import EVERYTHING, MetadataFilter
from robyn_server.resources.page import Page
from robyn_server.storage.db import Db, Row, Transition
from robyn_server.storage.dialect import Dialect, marks
from robyn_server.storage.meta_index import write_index
from robyn_server.storage.search import Wanted, count, search
from robyn_server.storage.thread_status import LEAVING

_NAMES = (
    "cron_id assistant_id thread_id user_id schedule timezone end_time ends_at payload metadata"
    " on_run_completed enabled next_run_at created_at updated_at caller secrets"
).split()
COLUMNS = ", ".join(_NAMES)

_TIMES = frozenset({"ends_at", "next_run_at", "created_at", "updated_at"})
_JSON = frozenset({"metadata", "caller"})
_PRIVATE = frozenset({"payload"})

_THERE = f"NOT EXISTS (SELECT 1 FROM thread h WHERE h.thread_id = cron.thread_id AND {LEAVING})"
"""A cron of a thread that is being deleted is gone for whoever reads."""

ORDERS = {
    "cron_id": (),
    "assistant_id": ("t.assistant_id",),
    "thread_id": ("t.thread_id",),
    "next_run_at": ("t.next_run_at",),
    "next_run_date": ("t.next_run_at",),
    "end_time": ("t.end_time",),
    "created_at": ("t.created_at",),
    "updated_at": ("t.updated_at",),
}


class CronTable:
    """`interfaces.CronRows`."""

    def __init__(self, db: Db) -> None:
        self._db = db
        self._dialect = db.dialect

    async def create(self, cron: Cron) -> Cron | None:
        """See `CronRows`."""

        def transition() -> Transition[Cron | None]:
            # Held until the row is in, as another server may be deleting them.
            for kind, key, there in (
                ("assistant", cron.assistant_id, ""),
                ("thread", cron.thread_id, f" AND NOT ({LEAVING})"),
            ):
                if key is not None:
                    sql = f"SELECT 1 FROM {kind} WHERE {kind}_id = ?{there}{self._dialect.hold}"
                    if not (yield sql, (key,)):
                        return None
            yield (
                f"INSERT INTO cron ({COLUMNS}) VALUES ({marks(len(_NAMES))})",
                _parameters(self._dialect, cron),
            )
            yield from write_index(self._dialect, "cron", cron.cron_id, cron.metadata)
            return cron

        return await self._db.write(transition)

    async def get(self, cron_id: str, visible: MetadataFilter = EVERYTHING) -> Cron | None:
        """See `CronRows`."""
        return await self._db.read(lambda: _get(self._dialect, cron_id, visible))

    async def change(
        self, cron_id: str, change: Callable[[Cron], Cron], visible: MetadataFilter = EVERYTHING
    ) -> Cron | None:
        """See `CronRows`."""

        def transition() -> Transition[Cron | None]:
            present = yield from _get(self._dialect, cron_id, visible, self._dialect.lock)
            if present is None:
                return None
            changed = change(present)
            yield (
                f"UPDATE cron SET {', '.join(f'{name} = ?' for name in _NAMES)} WHERE cron_id = ?",
                (*_parameters(self._dialect, changed), cron_id),
            )
            yield from write_index(self._dialect, "cron", cron_id, changed.metadata)
            return changed

        return await self._db.write(transition)

    async def delete(self, cron_id: str, visible: MetadataFilter = EVERYTHING) -> bool:
        """See `CronRows`."""

        def transition() -> Transition[bool]:
            if (yield from _get(self._dialect, cron_id, visible, self._dialect.lock)) is None:
                return False
            yield "DELETE FROM cron WHERE cron_id = ?", (cron_id,)
            return True

        return await self._db.write(transition)

    async def search(self, query: CronSearch) -> Page[Cron]:
        """See `CronRows`."""
        wanted = _wanted(self._dialect, query)
        return await self._db.read(lambda: search(self._dialect, wanted, query.limit, query.offset))

    async def count(self, query: CronSearch) -> int:
        """See `CronRows`."""
        wanted = _wanted(self._dialect, query)
        return await self._db.read(lambda: count(self._dialect, wanted))

    async def due(self, now: datetime, limit: int = 50) -> list[Cron]:
        """See `CronRows`; the longest due first."""

        def transition() -> Transition[list[Cron]]:
            moment = self._dialect.moment(now)
            rows = yield (
                f"SELECT {COLUMNS} FROM cron WHERE enabled AND next_run_at <= ? AND"
                f" (ends_at IS NULL OR ends_at > ?) AND {_THERE} ORDER BY next_run_at LIMIT ?",
                (moment, moment, limit),
            )
            return [_read(self._dialect, row) for row in rows]

        return await self._db.read(transition)

    async def fire(self, cron: Cron, next_run_at: datetime | None) -> bool:
        """See `CronRows`; also False when it was disabled meanwhile."""

        def transition() -> Transition[bool]:
            rows = yield (
                "UPDATE cron SET next_run_at = ? WHERE cron_id = ? AND enabled AND next_run_at = ?"
                " RETURNING cron_id",
                (
                    self._dialect.moment(next_run_at),
                    cron.cron_id,
                    self._dialect.moment(cron.next_run_at),
                ),
            )
            return bool(rows)

        return await self._db.write(transition)


def _get(dialect: Dialect, cron_id: str, visible: MetadataFilter, lock: str = "") -> Transition[Cron | None]:
    rows = yield f"SELECT {COLUMNS} FROM cron WHERE cron_id = ? AND {_THERE}{lock}", (cron_id,)
    found = [_read(dialect, row) for row in rows]
    return next((cron for cron in found if visible.allows(cron.metadata)), None)


def _wanted(dialect: Dialect, query: CronSearch) -> Wanted[Cron]:
    conditions: list[tuple[str, tuple[Any, ...]]] = []
    if query.assistant_id is not None:
        conditions.append(("t.assistant_id = ?", (query.assistant_id,)))
    if query.thread_id is not None:
        conditions.append(("t.thread_id = ?", (query.thread_id,)))
    if query.enabled is not None:
        conditions.append(("t.enabled" if query.enabled else "NOT t.enabled", ()))
    return Wanted(
        kind="cron",
        columns=", ".join(f"t.{name}" for name in _NAMES),
        read=lambda row: _read(dialect, row),
        metadata_of=lambda cron: cron.metadata,
        conditions=conditions,
        hidden="(SELECT c.cron_id FROM thread h JOIN cron c ON c.thread_id = h.thread_id"
        f" WHERE {LEAVING} AND expires_at <= {dialect.now})",
        metadata=query.metadata,
        visible=query.visible,
        order=ORDERS[query.sort_by],
        descending=query.descending,
        oldest_first=query.sort_by
        in ("assistant_id", "thread_id", "next_run_at", "next_run_date", "end_time"),
    )


def _parameters(dialect: Dialect, cron: Cron) -> list[Any]:
    return [_parameter(dialect, name, getattr(cron, name)) for name in _NAMES]


def _parameter(dialect: Dialect, name: str, value: Any) -> Any:
    if name in _TIMES:
        return dialect.moment(value)
    if name in _PRIVATE:
        return dialect.private(value)
    return dialect.json(value) if name in _JSON else value


def _read(dialect: Dialect, row: Row) -> Cron:
    fields = dict(zip(_NAMES, row, strict=True))
    for name in _TIMES:
        fields[name] = dialect.read_moment(fields[name])
    for name in _JSON:
        fields[name] = dialect.read_json(fields[name])
    for name in _PRIVATE:
        fields[name] = dialect.read_private(fields[name])
    fields["enabled"] = bool(fields["enabled"])
    return Cron(**fields)
