"""Threads as rows."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import orjson

from robyn_server.resources.metadata_filter import EVERYTHING, MetadataFilter, contains
from robyn_server.resources.page import Page
from robyn_server.resources.run_lifecycle import ACTIVE, TERMINAL, thread_status
from robyn_server.resources.thread import NewThread, StateOutcome, Thread, ThreadSearch, ThreadTtl
from robyn_server.resources.types import JsonObject
from robyn_server.storage.db import Db, Row, Transition
from robyn_server.storage.dialect import Dialect
from robyn_server.storage.meta_index import write_index
from robyn_server.storage.search import Wanted, count, search
from robyn_server.storage.thread_status import LEAVING, one_of, refresh_status

_NAMES = (
    "thread_id status metadata config interrupts error created_at updated_at state_updated_at settled copied"
    " ttl_seconds ttl_strategy expires_at values"
).split()

_RETURNED = ", ".join(f'"{name}"' for name in _NAMES)


def _columns(*, with_values: bool = True) -> str:
    return ", ".join(_column(name, with_values) for name in _NAMES)


def _column(name: str, with_values: bool) -> str:
    if name != "values":
        return f"t.{name}"
    # A keyword in both databases, hence quoted.
    return 't."values"' if with_values else "NULL"


FIRST_PAGES = 100
SMALL_PAGE = 128 << 10
"""Bytes of `values`. A first page of no more is read on the event loop, which costs less than handing it over."""

RUNS_AT_ONCE = 100
"""Deleted with their thread in one transaction."""

ORDERS = {
    "thread_id": (),
    "status": ("t.status",),
    "created_at": ("t.created_at",),
    "updated_at": ("t.updated_at",),
    "state_updated_at": ("t.state_updated_at",),
}


class ThreadTable:
    """`interfaces.ThreadRows`."""

    def __init__(self, db: Db) -> None:
        self._db = db
        self._dialect = db.dialect
        self._pages_are_small = True
        """What the last page weighed is the best guess at what the next will."""

    async def create(self, new: NewThread) -> Thread | None:
        """See `ThreadRows`."""
        return await self._db.write(lambda: _create(self._dialect, new))

    async def get(
        self, thread_id: str, visible: MetadataFilter = EVERYTHING, *, leaving: bool = False
    ) -> Thread | None:
        """See `ThreadRows`."""
        return await self._db.glance(lambda: _get(self._dialect, thread_id, visible, leaving=leaving))

    async def patch(
        self, thread_id: str, metadata: JsonObject, visible: MetadataFilter = EVERYTHING
    ) -> Thread | None:
        """See `ThreadRows`."""
        return await self._db.write(lambda: _patch(self._dialect, thread_id, metadata, visible))

    async def delete(self, thread_id: str) -> bool:
        """See `ThreadRows`."""

        gone: bool | None = None
        while gone is None:
            gone = await self._db.write(lambda: _delete(thread_id))
        return gone

    async def search(self, query: ThreadSearch) -> Page[Thread]:
        """See `ThreadRows`."""
        wanted = _wanted(self._dialect, query, with_values=query.with_values or bool(query.values))
        short = self._pages_are_small and not query.values and query.offset + query.limit <= FIRST_PAGES
        look = self._db.glance if short else self._db.read
        page = await look(lambda: search(self._dialect, wanted, query.limit, query.offset))
        if query.with_values and page.items:
            self._pages_are_small = sum(len(thread.values or b"") for thread in page.items) <= SMALL_PAGE
        return page

    async def count(self, query: ThreadSearch) -> int:
        """See `ThreadRows`."""
        wanted = _wanted(self._dialect, query, with_values=bool(query.values))
        return await self._db.read(lambda: count(self._dialect, wanted))

    async def set_state(self, thread_id: str, outcome: StateOutcome) -> None:
        """See `ThreadRows`."""
        await self._db.write(lambda: _set_state(self._dialect, thread_id, outcome))

    async def expired(self, now: datetime, limit: int) -> list[Thread]:
        """See `ThreadRows`; the longest expired first, `values` left unread."""

        def transition() -> Transition[list[Thread]]:
            rows = yield (
                f"SELECT {_columns(with_values=False)} FROM thread t WHERE t.expires_at IS NOT NULL AND"
                " t.expires_at <= ? AND NOT EXISTS (SELECT 1 FROM run WHERE run.thread_id = t.thread_id"
                f" AND run.status IN {one_of(ACTIVE)}) ORDER BY t.expires_at LIMIT ?",
                (self._dialect.moment(now), limit),
            )
            return [_read(self._dialect, row) for row in rows]

        return await self._db.read(transition)

    async def set_ttl(self, thread_id: str, ttl: ThreadTtl) -> None:
        """See `ThreadRows`."""
        seconds = ttl.ttl.total_seconds()
        await self._change(
            thread_id,
            f"ttl_seconds = ?, ttl_strategy = ?, expires_at = {self._dialect.plus('?')}",
            (seconds, ttl.strategy, seconds),
        )

    async def expire(self, thread_id: str) -> None:
        """See `ThreadRows`."""
        # Without a TTL no run that still ends puts it off.
        await self._change(
            thread_id, f"ttl_seconds = NULL, ttl_strategy = NULL, expires_at = {self._dialect.now}"
        )

    async def rest(self, thread_id: str) -> None:
        """See `ThreadRows`."""
        await self._change(thread_id, "expires_at = NULL")

    async def _change(self, thread_id: str, change: str, parameters: Sequence[Any] = ()) -> None:
        def transition() -> Transition[None]:
            yield f"UPDATE thread SET {change} WHERE thread_id = ?", (*parameters, thread_id)

        await self._db.write(transition)


def _create(dialect: Dialect, new: NewThread) -> Transition[Thread | None]:
    seconds = new.ttl.ttl.total_seconds() if new.ttl else None
    strategy = new.ttl.strategy if new.ttl else None
    idle = thread_status(active_runs=False, failed=False, has_next=False)
    rows = yield (
        "INSERT INTO thread AS t (thread_id, status, last_failed, has_next, settled, copied, created_at,"
        " updated_at, state_updated_at, ttl_seconds, ttl_strategy, expires_at, metadata, config, interrupts)"
        f" VALUES (?, ?, FALSE, FALSE, FALSE, ?, {dialect.now}, {dialect.now}, {dialect.now}, ?, ?,"
        f" {dialect.plus('?')}, ?, ?, ?) ON CONFLICT (thread_id) DO NOTHING RETURNING {_RETURNED}",
        (
            new.thread_id,
            idle,
            new.copied,
            seconds,
            strategy,
            seconds,
            dialect.json(new.metadata),
            dialect.private({}),
            dialect.private({}),
        ),
    )
    if not rows:
        return None
    yield from write_index(dialect, "thread", new.thread_id, new.metadata, new=True)
    return _read(dialect, rows[0])


def _get(
    dialect: Dialect, thread_id: str, visible: MetadataFilter, lock: str = "", *, leaving: bool = False
) -> Transition[Thread | None]:
    there = "" if leaving else f" AND NOT ({LEAVING})"
    rows = yield f"SELECT {_columns()} FROM thread t WHERE t.thread_id = ?{there}{lock}", (thread_id,)
    found = [_read(dialect, row) for row in rows]
    return next((thread for thread in found if visible.allows(thread.metadata)), None)


def _delete(thread_id: str) -> Transition[bool | None]:
    """Whether it was there; None when there are more ended runs than what shall hold up other writes."""
    ended = yield (
        f"DELETE FROM run WHERE seq IN (SELECT seq FROM run WHERE thread_id = ? AND status IN {one_of(TERMINAL)}"
        " ORDER BY seq LIMIT ?) RETURNING seq",
        (thread_id, RUNS_AT_ONCE),
    )
    if len(ended) == RUNS_AT_ONCE:
        return None
    rows = yield "DELETE FROM thread WHERE thread_id = ? RETURNING thread_id", (thread_id,)
    return bool(rows)


def _patch(
    dialect: Dialect, thread_id: str, metadata: JsonObject, visible: MetadataFilter
) -> Transition[Thread | None]:
    present = yield from _get(dialect, thread_id, visible, dialect.lock)
    if present is None:
        return None
    merged = {**present.metadata, **metadata}
    rows = yield (
        f"UPDATE thread SET metadata = ?, updated_at = {dialect.now} WHERE thread_id = ? RETURNING {_RETURNED}",
        (dialect.json(merged), thread_id),
    )
    if merged != present.metadata:
        yield from write_index(dialect, "thread", thread_id, merged)
    return _read(dialect, rows[0])


def _set_state(dialect: Dialect, thread_id: str, outcome: StateOutcome) -> Transition[None]:
    values = dialect.private_bytes(outcome.values)
    # A copy shows its values from the first change of its own state on.
    shown = '"values" = ?, copied = FALSE, ' if values is not None else ""
    yield (
        f"UPDATE thread SET {shown}interrupts = ?, has_next = ?, settled = TRUE,"
        f" error = NULL, last_failed = FALSE, state_updated_at = {dialect.now},"
        f" expires_at = CASE WHEN ttl_seconds IS NULL THEN expires_at ELSE {dialect.plus('ttl_seconds')} END"
        " WHERE thread_id = ?",
        (
            *(() if values is None else (values,)),
            dialect.private(outcome.interrupts),
            outcome.has_next,
            thread_id,
        ),
    )
    yield from refresh_status(dialect, thread_id)


def _wanted(dialect: Dialect, query: ThreadSearch, *, with_values: bool) -> Wanted[Thread]:
    conditions: list[tuple[str, tuple[str, ...]]] = []
    if query.status is not None:
        conditions.append(("t.status = ?", (query.status,)))
    if query.ids:
        # As one JSON parameter: a list of marks would be bounded.
        conditions.append((f"t.thread_id IN {dialect.members}", (dialect.json(list(query.ids)),)))
    return Wanted(
        kind="thread",
        columns=_columns(with_values=with_values),
        read=lambda row: _read(dialect, row),
        metadata_of=lambda thread: thread.metadata,
        conditions=conditions,
        hidden=f"(SELECT h.thread_id FROM thread h WHERE {LEAVING} AND expires_at <= {dialect.now})",
        metadata=query.metadata,
        visible=query.visible,
        order=ORDERS[query.sort_by],
        descending=query.descending,
        oldest_first=query.sort_by == "status",
        test=(lambda thread: _values_contain(thread, query.values)) if query.values else None,
    )


def _values_contain(thread: Thread, part: JsonObject) -> bool:
    return thread.values is not None and contains(orjson.loads(thread.values), part)


def _read(dialect: Dialect, row: Row) -> Thread:
    # Each by its name, in the order of `_NAMES`: a search reads some ten of these a page.
    (
        thread_id, status, metadata, config, interrupts, error, created_at, updated_at, state_updated_at, settled,
        copied, ttl_seconds, ttl_strategy, expires_at, values,
    ) = row  # fmt: skip
    moment, private = dialect.read_moment, dialect.read_private
    updated = moment(updated_at)
    # What sets both does so at the same moment.
    state_updated = updated if state_updated_at == updated_at else moment(state_updated_at)
    return Thread(
        thread_id,
        status,
        dialect.read_json(metadata),
        private(config),
        dialect.read_private_bytes(values),
        private(interrupts),
        None if error is None else private(error),
        updated if created_at == updated_at else moment(created_at),  # type: ignore[arg-type] # never NULL
        updated,  # type: ignore[arg-type] # never NULL
        state_updated,
        bool(settled),
        None if ttl_strategy is None else ThreadTtl(timedelta(seconds=ttl_seconds), ttl_strategy),
        None if expires_at is None else moment(expires_at),
        bool(copied),
    )
