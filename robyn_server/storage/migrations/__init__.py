"""Numbered steps that bring a database up to date: forward only. A new step is a module here and a line in
STEPS; it gives the statements for a dialect and never changes once it has been released."""

import sqlite3
from collections.abc import Callable
from pathlib import Path

from robyn_server.errors import StartupError
from robyn_server.storage.db import Transition
from robyn_server.storage.dialect import Dialect, SqliteDialect
from robyn_server.storage.migrations import step_001_tables, step_002_list_members
from robyn_server.storage.sqlite_connection import connect, run_transition

APP_FILE = "app.db"

OLDEST_SQLITE = (3, 35, 0)
"""The first with RETURNING."""

Step = Callable[[Dialect], tuple[str, ...]]

STEPS: tuple[Step, ...] = (step_001_tables.statements, step_002_list_members.statements)


def upgrade(
    dialect: Dialect, steps: tuple[Step, ...] = STEPS, counter: str = "schema_version"
) -> Transition[int]:
    """Apply the steps that the database lacks, in the transaction it runs in; how many those were. `counter` is the
    table that says which it has. Raises `StartupError` when the database knows steps that we do not."""
    yield f"CREATE TABLE IF NOT EXISTS {counter} (version INTEGER NOT NULL)", ()
    rows = yield f"SELECT COALESCE(max(version), 0) FROM {counter}", ()
    have: int = rows[0][0]
    if have > len(steps):
        raise StartupError(
            f"The database has version {have}, but this server knows only {len(steps)}: it was last used by a"
            " newer server; install that version (or a later one), or choose another data directory."
        )
    for version, step in enumerate(steps[have:], have + 1):
        for statement in step(dialect):
            yield statement, ()
        yield f"INSERT INTO {counter}(version) VALUES (?)", (version,)
    return len(steps) - have


def migrate(data_dir: Path) -> int:
    """Bring the database in `data_dir` (which exists) up to date; how many steps that took. Safe to run from
    several processes at once. Raises `StartupError`."""
    if sqlite3.sqlite_version_info < OLDEST_SQLITE:
        raise StartupError(
            f"SQLite {sqlite3.sqlite_version} is too old: use a Python built with SQLite 3.35 or later."
        )
    return bring_up_to_date(data_dir / APP_FILE, STEPS)


def version_of(path: Path) -> int:
    """The step that one file of ours has reached; 0 for one that is missing or empty. Raises `StartupError`."""
    if not path.exists():
        return 0
    connection = connect(path)
    try:
        known = connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'schema_version'").fetchone()
        found = connection.execute("SELECT max(version) FROM schema_version").fetchone() if known else None
    except sqlite3.Error as error:
        raise StartupError(f"The database {path} cannot be read: {error}.") from error
    finally:
        connection.close()
    return int(found[0] or 0) if found else 0


def bring_up_to_date(path: Path, steps: tuple[Step, ...]) -> int:
    """The same for any one file of ours; it is made when missing."""
    try:
        connection = connect(path)
    except sqlite3.Error as error:
        raise StartupError(
            f"The database {path} cannot be opened ({error}): check the file and its owner."
        ) from error
    try:
        connection.execute("BEGIN IMMEDIATE")
        applied = run_transition(connection, lambda: upgrade(SqliteDialect(), steps))
        connection.execute("COMMIT")
    except sqlite3.Error as error:
        raise StartupError(f"The database {path} cannot be brought up to date: {error}.") from error
    finally:
        # Closing an open transaction rolls it back.
        connection.close()
    return applied
