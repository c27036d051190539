"""The file of the event spill: its table, and the statements on it."""

import logging
import sqlite3
from pathlib import Path
from typing import TypeAlias

from robyn_server.resources.event import END_OF_RUN
from robyn_server.storage.sqlite_connection import connect

logger = logging.getLogger(__name__)

SWEEP_RUNS = 100
SWEEP_ENTRIES = 1_000
SWEEP_PAGES = 4_096
"""Free pages (of 4 KiB) given back to the disk by one sweep: as many as do not hold up the writer."""

Entry: TypeAlias = tuple[str, int, int, str, int, str, bytes]
"""Thread id, id (two numbers), run id, attempt, event, data as they are stored."""

_TABLES = (
    # Rows lie in the order of arrival, so that the oldest are found at once.
    """CREATE TABLE IF NOT EXISTS event (
        seq INTEGER PRIMARY KEY, thread_id TEXT NOT NULL, id_ms INTEGER NOT NULL, id_seq INTEGER NOT NULL,
        run_id TEXT NOT NULL, attempt INTEGER NOT NULL, event TEXT NOT NULL, data BLOB NOT NULL,
        UNIQUE (thread_id, id_ms, id_seq))""",
    f"CREATE INDEX IF NOT EXISTS event_end ON event(id_ms, thread_id, run_id) WHERE event = '{END_OF_RUN}'",
)
INSERT = (
    "INSERT INTO event(thread_id, id_ms, id_seq, run_id, attempt, event, data) VALUES (?, ?, ?, ?, ?, ?, ?)"
    " ON CONFLICT DO NOTHING"
)

LAST = "SELECT id_ms, id_seq FROM event WHERE thread_id = ? ORDER BY id_ms DESC, id_seq DESC LIMIT 1"


def open_events(path: Path) -> sqlite3.Connection:
    """A connection that writes to the file, which is made when missing, and anew when it is damaged."""
    try:
        return _prepare(path)
    except sqlite3.DatabaseError as error:
        if getattr(error, "sqlite_errorcode", 0) not in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            raise
        logger.warning("The stored events are damaged and were dropped: %s", error)
        for suffix in ("", "-wal", "-shm"):
            Path(f"{path}{suffix}").unlink(missing_ok=True)
        return _prepare(path)


def _prepare(path: Path) -> sqlite3.Connection:
    connection = connect(path, synchronous="OFF", shrinkable=True)
    for statement in _TABLES:
        connection.execute(statement)
    return connection


def drop_ended(connection: sqlite3.Connection, before_ms: int) -> int:
    """Drop some of the entries of runs that ended before a moment; how many, 0 when that is all. Of a run the oldest
    go first: its end tells that there is more."""
    runs = connection.execute(
        f"SELECT thread_id, run_id FROM event WHERE event = '{END_OF_RUN}' AND id_ms < ? LIMIT ?",
        (before_ms, SWEEP_RUNS),
    ).fetchall()
    connection.execute("BEGIN IMMEDIATE")
    dropped = 0
    for run in runs:
        dropped += connection.execute(
            "DELETE FROM event WHERE seq IN (SELECT seq FROM event WHERE thread_id = ? AND run_id = ?"
            " ORDER BY id_ms, id_seq LIMIT ?)",
            (*run, SWEEP_ENTRIES - dropped),
        ).rowcount
        if dropped == SWEEP_ENTRIES:
            break
    connection.execute("COMMIT")
    return dropped


def drop_oldest(connection: sqlite3.Connection, most_bytes: int) -> int:
    """Drop some of the oldest entries where the file is larger; how many. 0 when that is all: then free pages go back
    to the disk."""
    page, pages, free = (
        connection.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("page_size", "page_count", "freelist_count")
    )
    dropped = 0
    if (pages - free) * page > most_bytes:
        dropped = connection.execute(
            "DELETE FROM event WHERE seq IN (SELECT seq FROM event ORDER BY seq LIMIT ?)", (SWEEP_ENTRIES,)
        ).rowcount
    if not dropped:
        # `execute` takes one step only, which would give back one page.
        connection.executescript(f"PRAGMA incremental_vacuum({SWEEP_PAGES})")
    return dropped
