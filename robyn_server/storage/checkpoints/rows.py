"""Checkpoints and their writes as rows: what a saver puts and gets. Values stand in `values.py`.

A run that resumes an interrupt adds its writes to the checkpoint it continues from, which an earlier run
made: the answer, the results of the tasks that finished, and sometimes another interrupt in the place of the
first. Deleting the run's own checkpoints does not take these back. So before the first such write of each
slot, `write_undo` keeps what stood there, and `upkeep.delete_run` puts it back.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from robyn_server.storage.checkpoints import values as checkpoint_values
from robyn_server.storage.checkpoints.values import Value, keep_value
from robyn_server.storage.db import Row, Transition
from robyn_server.storage.dialect import marks
from robyn_server.storage.encryption.cipher import Cipher

SLOT = "thread_id, checkpoint_ns, checkpoint_id, task_id, idx"
"""What names one write."""

WRITE = f"{SLOT}, task_path, channel, type, blob"

OF_CHECKPOINT = "thread_id = ? AND checkpoint_ns = ? AND checkpoint_id = ?"

TABLES = (
    # checkpoint is JSON: everything but the values of the channels.
    """CREATE TABLE checkpoints (
        thread_id TEXT NOT NULL, checkpoint_ns TEXT NOT NULL, checkpoint_id TEXT NOT NULL,
        parent_checkpoint_id TEXT, run_id TEXT, checkpoint TEXT NOT NULL, metadata TEXT NOT NULL,
        PRIMARY KEY (thread_id, checkpoint_ns, checkpoint_id))""",
    "CREATE INDEX checkpoint_run ON checkpoints(run_id, thread_id) WHERE run_id IS NOT NULL",
    *checkpoint_values.TABLES,
    """CREATE TABLE checkpoint_writes (
        thread_id TEXT NOT NULL, checkpoint_ns TEXT NOT NULL, checkpoint_id TEXT NOT NULL,
        task_id TEXT NOT NULL, idx INTEGER NOT NULL, task_path TEXT NOT NULL,
        channel TEXT NOT NULL, type TEXT NOT NULL, blob BLOB NOT NULL,
        PRIMARY KEY (thread_id, checkpoint_ns, checkpoint_id, task_id, idx))""",
    """CREATE TABLE write_undo (
        seq INTEGER PRIMARY KEY, run_id TEXT NOT NULL, thread_id TEXT NOT NULL, checkpoint_ns TEXT NOT NULL,
        checkpoint_id TEXT NOT NULL, task_id TEXT NOT NULL, idx INTEGER NOT NULL,
        existed INTEGER NOT NULL, task_path TEXT, channel TEXT, type TEXT, blob BLOB,
        UNIQUE (thread_id, run_id, checkpoint_ns, checkpoint_id, task_id, idx))""",
)

_COLUMNS = "thread_id, checkpoint_ns, checkpoint_id, parent_checkpoint_id, checkpoint, metadata"

_REMEMBER = f"""INSERT OR IGNORE INTO write_undo(run_id, {SLOT}, existed, task_path, channel, type, blob)
    SELECT ?, s.*, w.idx IS NOT NULL, w.task_path, w.channel, w.type, w.blob
    FROM (SELECT ? AS thread_id, ? AS checkpoint_ns, ? AS checkpoint_id, ? AS task_id, ? AS idx) s
    LEFT JOIN checkpoint_writes w USING ({SLOT})"""

PAGE = 20
"""Checkpoints read in one go."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a checkpoint stands."""

    thread_id: str
    ns: str
    checkpoint_id: str

    @property
    def key(self) -> tuple[str, str, str]:
        """For `OF_CHECKPOINT`."""
        return self.thread_id, self.ns, self.checkpoint_id


@dataclass(frozen=True, slots=True)
class NewCheckpoint:
    """A checkpoint to keep: `checkpoint` and `metadata` are JSON, `metadata` sealed where there is encryption;
    `values` are new: `{channel: (version, value)}`, and sealed when they are put."""

    place: Place
    parent: str | None
    run_id: str | None
    checkpoint: str
    metadata: str
    values: Mapping[str, tuple[str, Value]]


@dataclass(frozen=True, slots=True)
class NewWrites:
    """What a task has written onto a checkpoint: rows of (idx, channel, type, bytes) as they are stored.
    `replace`: they take the place of what the task has written there before; else that stays."""

    place: Place
    run_id: str | None
    task_id: str
    task_path: str
    rows: Sequence[tuple[int, str, str, bytes]]
    replace: bool


@dataclass(frozen=True, slots=True)
class Head:
    """A checkpoint's own row."""

    place: Place
    parent: str | None
    checkpoint: str
    metadata: str


@dataclass(frozen=True, slots=True)
class Page:
    """Which checkpoints to read, newest first; None is any. `after` is the last one read so far."""

    thread_id: str | None
    ns: str | None
    checkpoint_id: str | None
    before: str | None
    after: Place | None = None


def put_checkpoint(cipher: Cipher, new: NewCheckpoint) -> Transition[None]:
    """Keep a checkpoint; put again it keeps its parent."""
    place = new.place
    for channel, (version, value) in new.values.items():
        yield from keep_value(cipher, place.thread_id, place.ns, channel, version, value)
    yield (
        f"INSERT INTO checkpoints({_COLUMNS}, run_id) VALUES ({marks(7)})"
        " ON CONFLICT (thread_id, checkpoint_ns, checkpoint_id) DO UPDATE"
        " SET checkpoint = excluded.checkpoint, metadata = excluded.metadata, run_id = excluded.run_id",
        (*place.key, new.parent, new.checkpoint, new.metadata, new.run_id),
    )


def put_writes(new: NewWrites) -> Transition[None]:
    """Keep writes, after remembering what they may replace on another run's checkpoint."""
    if new.run_id is not None:
        # A checkpoint that carries the run's id is its own: it goes as a whole.
        others = yield (
            f"SELECT 1 FROM checkpoints WHERE {OF_CHECKPOINT} AND run_id IS NOT ?",
            (*new.place.key, new.run_id),
        )
        if others:
            for idx, *_ in new.rows:
                yield _REMEMBER, (new.run_id, *new.place.key, new.task_id, idx)
    verb = "INSERT OR REPLACE" if new.replace else "INSERT OR IGNORE"
    for idx, *content in new.rows:
        yield (
            f"{verb} INTO checkpoint_writes({WRITE}) VALUES ({marks(9)})",
            (*new.place.key, new.task_id, idx, new.task_path, *content),
        )


def newest_head(thread_id: str, ns: str) -> Transition[Head | None]:
    """The newest checkpoint of a namespace."""
    rows = yield (
        f"SELECT {_COLUMNS} FROM checkpoints WHERE thread_id = ? AND checkpoint_ns = ?"
        " ORDER BY checkpoint_id DESC LIMIT 1",
        (thread_id, ns),
    )
    return _head(rows[0]) if rows else None


def head_at(place: Place) -> Transition[Head | None]:
    """The checkpoint that stands there."""
    rows = yield f"SELECT {_COLUMNS} FROM checkpoints WHERE {OF_CHECKPOINT}", place.key
    return _head(rows[0]) if rows else None


def heads(page: Page) -> Transition[list[Head]]:
    """The next checkpoints, at most `PAGE`."""
    wanted: dict[str, str | None] = {
        "thread_id = ?": page.thread_id,
        "checkpoint_ns = ?": page.ns,
        "checkpoint_id = ?": page.checkpoint_id,
        "checkpoint_id < ?": page.before,
    }
    parameters: list[object] = [value for value in wanted.values() if value is not None]
    conditions = [sql for sql, value in wanted.items() if value is not None]
    if page.after is not None:
        conditions.append("(checkpoint_id, checkpoint_ns, thread_id) < (?, ?, ?)")
        parameters += reversed(page.after.key)
    where = f"WHERE {' AND '.join(conditions)}" if conditions else ""
    rows = yield (
        f"SELECT {_COLUMNS} FROM checkpoints {where}"
        f" ORDER BY checkpoint_id DESC, checkpoint_ns DESC, thread_id DESC LIMIT {PAGE}",
        parameters,
    )
    return [_head(row) for row in rows]


def writes_on(place: Place) -> Transition[list[Row]]:
    """Rows of (task id, channel, type, bytes), in the order in which a step applies them."""
    return (
        yield (
            f"SELECT task_id, channel, type, blob FROM checkpoint_writes WHERE {OF_CHECKPOINT}"
            " ORDER BY task_path, task_id, idx",
            place.key,
        )
    )


def _head(row: Row) -> Head:
    thread_id, ns, checkpoint_id, parent, checkpoint, metadata = row
    return Head(Place(thread_id, ns, checkpoint_id), parent, checkpoint, metadata)
