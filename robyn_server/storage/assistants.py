"""Assistants and their versions as rows."""

import asyncio
from dataclasses import replace
from typing import TypeVar

from robyn_server.resources.assistant import (
    Assistant,
    AssistantChange,
    AssistantSearch,
    AssistantVersion,
    NewAssistant,
)
from robyn_server.resources.metadata_filter import EVERYTHING, MetadataFilter, contains
from robyn_server.resources.page import Page
from robyn_server.resources.types import JsonObject
from robyn_server.storage.db import Db, Row, Start, Transition
from robyn_server.storage.dialect import Dialect
from robyn_server.storage.meta_index import write_index
from robyn_server.storage.search import Wanted, count, search

_SHARED = "assistant_id, graph_id, name, description, config, context, metadata, version"
COLUMNS = f"{_SHARED}, created_at, updated_at"
VERSION_COLUMNS = f"{_SHARED}, created_at"

ORDERS = {
    "assistant_id": (),
    "created_at": ("t.created_at",),
    "updated_at": ("t.updated_at",),
    "name": ("lower(t.name)",),
    "graph_id": ("lower(t.graph_id)",),
}

T = TypeVar("T")

MOST_KNOWN = 1_000


class AssistantTable:
    """`interfaces.AssistantRows`."""

    def __init__(self, db: Db) -> None:
        self._db = db
        self._dialect = db.dialect
        self._known: dict[str, Assistant] = {}
        """Lately read: every run asks for its assistant. Right as long as nobody else writes to the database."""
        self._changes = 0

    async def create(self, new: NewAssistant) -> Assistant | None:
        """See `AssistantRows`."""
        return await self._db.write(lambda: _create(self._dialect, new))

    async def get(self, assistant_id: str, visible: MetadataFilter = EVERYTHING) -> Assistant | None:
        """See `AssistantRows`."""
        found = self._known.get(assistant_id)
        if found is None:
            changes = self._changes
            found = await self._db.glance(lambda: _get(self._dialect, assistant_id, EVERYTHING))
            if found is not None and self._db.alone and changes == self._changes:
                if len(self._known) >= MOST_KNOWN:
                    self._known.clear()
                self._known[assistant_id] = found
        return found if found is not None and visible.allows(found.metadata) else None

    async def update(
        self, assistant_id: str, change: AssistantChange, visible: MetadataFilter = EVERYTHING
    ) -> Assistant | None:
        """See `AssistantRows`."""
        return await self._change(assistant_id, lambda: _update(self._dialect, assistant_id, change, visible))

    async def delete(self, assistant_id: str, visible: MetadataFilter = EVERYTHING) -> bool:
        """See `AssistantRows`."""

        def transition() -> Transition[bool]:
            if (yield from _get(self._dialect, assistant_id, visible, self._dialect.lock)) is None:
                return False
            yield "DELETE FROM assistant WHERE assistant_id = ?", (assistant_id,)
            return True

        return await self._change(assistant_id, transition)

    async def search(self, query: AssistantSearch) -> Page[Assistant]:
        """See `AssistantRows`."""
        wanted = _wanted(self._dialect, query)
        return await self._db.read(lambda: search(self._dialect, wanted, query.limit, query.offset))

    async def count(self, query: AssistantSearch) -> int:
        """See `AssistantRows`."""
        wanted = _wanted(self._dialect, query)
        return await self._db.read(lambda: count(self._dialect, wanted))

    async def versions(
        self, assistant_id: str, metadata: JsonObject, limit: int, offset: int
    ) -> list[AssistantVersion]:
        """See `AssistantRows`."""

        def transition() -> Transition[list[AssistantVersion]]:
            rows = yield (
                f"SELECT {VERSION_COLUMNS} FROM assistant_version WHERE assistant_id = ?"
                " ORDER BY version DESC",
                (assistant_id,),
            )
            found = [_read_version(self._dialect, row) for row in rows]
            return [version for version in found if contains(version.metadata, metadata)][offset:][:limit]

        return await self._db.read(transition)

    async def set_latest(
        self, assistant_id: str, version: int, visible: MetadataFilter = EVERYTHING
    ) -> Assistant | None:
        """See `AssistantRows`."""
        return await self._change(
            assistant_id, lambda: _set_latest(self._dialect, assistant_id, version, visible)
        )

    async def _change(self, assistant_id: str, start: Start[T]) -> T:
        async def change() -> T:
            try:
                return await self._db.write(start)
            finally:
                self._changes += 1
                self._known.pop(assistant_id, None)

        # To its end, also when the caller is cancelled: what is known has to go once the row is another.
        return await asyncio.shield(change())


def _create(dialect: Dialect, new: NewAssistant) -> Transition[Assistant | None]:
    rows = yield (
        f"INSERT INTO assistant ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, 1, {dialect.now}, {dialect.now})"
        f" ON CONFLICT (assistant_id) DO NOTHING RETURNING {COLUMNS}",
        (
            new.assistant_id,
            new.graph_id,
            new.name,
            new.description,
            dialect.json(new.config),
            dialect.json(new.context),
            dialect.json(new.metadata),
        ),
    )
    if not rows:
        return None
    assistant = _read(dialect, rows[0])
    yield from _keep_version(dialect, assistant)
    yield from write_index(dialect, "assistant", assistant.assistant_id, assistant.metadata)
    return assistant


def _get(
    dialect: Dialect, assistant_id: str, visible: MetadataFilter, lock: str = ""
) -> Transition[Assistant | None]:
    rows = yield f"SELECT {COLUMNS} FROM assistant WHERE assistant_id = ?{lock}", (assistant_id,)
    found = [_read(dialect, row) for row in rows]
    return next((assistant for assistant in found if visible.allows(assistant.metadata)), None)


def _update(
    dialect: Dialect, assistant_id: str, change: AssistantChange, visible: MetadataFilter
) -> Transition[Assistant | None]:
    present = yield from _get(dialect, assistant_id, visible, dialect.lock)
    if present is None:
        return None
    rows = yield "SELECT max(version) FROM assistant_version WHERE assistant_id = ?", (assistant_id,)
    changed = replace(
        present,
        graph_id=present.graph_id if change.graph_id is None else change.graph_id,
        name=present.name if change.name is None else change.name,
        description=present.description if change.description is None else change.description,
        config=present.config if change.config is None else change.config,
        context=present.context if change.context is None else change.context,
        metadata={**present.metadata, **(change.metadata or {})},
        version=(rows[0][0] or 0) + 1,
    )
    stored = yield from _store(dialect, changed)
    yield from _keep_version(dialect, stored)
    return stored


def _set_latest(
    dialect: Dialect, assistant_id: str, version: int, visible: MetadataFilter
) -> Transition[Assistant | None]:
    present = yield from _get(dialect, assistant_id, visible, dialect.lock)
    rows = yield (
        f"SELECT {VERSION_COLUMNS} FROM assistant_version WHERE assistant_id = ? AND version = ?",
        (assistant_id, version),
    )
    if present is None or not rows:
        return None
    earlier = _read_version(dialect, rows[0])
    restored = replace(
        present,
        config=earlier.config,
        metadata=earlier.metadata,
        name=earlier.name,
        description=earlier.description,
        version=version,
    )
    return (yield from _store(dialect, restored))


def _store(dialect: Dialect, changed: Assistant) -> Transition[Assistant]:
    rows = yield (
        "UPDATE assistant SET graph_id = ?, name = ?, description = ?, config = ?, context = ?, metadata = ?,"
        f" version = ?, updated_at = {dialect.now} WHERE assistant_id = ? RETURNING {COLUMNS}",
        (
            changed.graph_id,
            changed.name,
            changed.description,
            dialect.json(changed.config),
            dialect.json(changed.context),
            dialect.json(changed.metadata),
            changed.version,
            changed.assistant_id,
        ),
    )
    yield from write_index(dialect, "assistant", changed.assistant_id, changed.metadata)
    return _read(dialect, rows[0])


def _keep_version(dialect: Dialect, assistant: Assistant) -> Transition[None]:
    yield (
        f"INSERT INTO assistant_version ({VERSION_COLUMNS}) SELECT {_SHARED}, updated_at FROM assistant"
        " WHERE assistant_id = ?",
        (assistant.assistant_id,),
    )


def _wanted(dialect: Dialect, query: AssistantSearch) -> Wanted[Assistant]:
    conditions: list[tuple[str, tuple[str, ...]]] = []
    name = (query.name or "").lower()
    if query.graph_id is not None:
        conditions.append(("t.graph_id = ?", (query.graph_id,)))
    # SQLite lowers ASCII only; other names are compared here.
    by_sql = name.isascii()
    if name and by_sql:
        literal = name.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        conditions.append(("lower(t.name) LIKE ? ESCAPE '\\'", (f"%{literal}%",)))
    return Wanted(
        kind="assistant",
        columns=", ".join(f"t.{column}" for column in COLUMNS.split(", ")),
        read=lambda row: _read(dialect, row),
        metadata_of=lambda assistant: assistant.metadata,
        conditions=conditions,
        metadata=query.metadata,
        visible=query.visible,
        order=ORDERS[query.sort_by],
        descending=query.descending,
        oldest_first=query.sort_by in ("name", "graph_id"),
        test=None if by_sql else lambda assistant: name in assistant.name.lower(),
    )


def _read(dialect: Dialect, row: Row) -> Assistant:
    return Assistant(**_fields(dialect, COLUMNS, row))


def _read_version(dialect: Dialect, row: Row) -> AssistantVersion:
    return AssistantVersion(**_fields(dialect, VERSION_COLUMNS, row))


def _fields(dialect: Dialect, columns: str, row: Row) -> JsonObject:
    fields = dict(zip(columns.split(", "), row, strict=True))
    for name in ("config", "context", "metadata"):
        fields[name] = dialect.read_json(fields[name])
    for name in ("created_at", "updated_at"):
        if name in fields:
            fields[name] = dialect.read_moment(fields[name])
    return fields
