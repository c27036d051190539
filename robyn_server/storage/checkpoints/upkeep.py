"""The upkeep of checkpoints, as transitions. Each may be repeated after a crash."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import TypeAlias

from robyn_server.resources.types import JsonObject
from robyn_server.storage.checkpoints.encoding import DELTA_MARK
from robyn_server.storage.checkpoints.report import byte_report
from robyn_server.storage.checkpoints.rows import OF_CHECKPOINT, SLOT, WRITE
from robyn_server.storage.checkpoints.values import drop_unnamed_values, drop_values
from robyn_server.storage.db import Row, Transition
from robyn_server.storage.dialect import marks
from robyn_server.storage.encryption.cipher import Cipher

Drop: TypeAlias = Callable[[str, Sequence[Row]], Transition[None]]
"""Drops checkpoints of a thread, given as (namespace, id), with their writes and what only they use."""

_OF_SLOT = " AND ".join(f"{column} = ?" for column in SLOT.split(", "))

_HAS_DELTAS = f"""instr(metadata, '"{DELTA_MARK}"') > 0"""

_COPIED = {
    "checkpoints": "checkpoint_ns, checkpoint_id, parent_checkpoint_id, run_id, checkpoint, metadata",
    "checkpoint_blobs": "checkpoint_ns, channel, version, type, blob, log, length",
    "checkpoint_writes": WRITE.removeprefix("thread_id, "),
}


def delete_thread(cipher: Cipher, thread_id: str) -> Transition[None]:
    """Every checkpoint of the thread, in all namespaces, with its values and writes."""
    yield from drop_values(cipher, thread_id)
    for table in ("checkpoints", "checkpoint_writes", "write_undo"):
        yield f"DELETE FROM {table} WHERE thread_id = ?", (thread_id,)


def delete_run(cipher: Cipher, thread_id: str, run_id: str) -> Transition[None]:
    """Every checkpoint that carries this run id, with its writes and what only it uses; and on checkpoints of
    earlier runs, what this run wrote is undone, so that an interrupt it had answered is pending again."""
    yield from undo_writes(thread_id, run_id)
    own = yield (
        "SELECT checkpoint_ns, checkpoint_id FROM checkpoints WHERE thread_id = ? AND run_id = ?",
        (thread_id, run_id),
    )
    yield from _drop(cipher, thread_id, own)
    yield "DELETE FROM write_undo WHERE thread_id = ? AND run_id = ?", (thread_id, run_id)


def delete_runs(cipher: Cipher, run_ids: Sequence[str]) -> Transition[None]:
    """`delete_run` on every thread where one of the runs left something."""
    for run_id in run_ids:
        threads = yield (
            "SELECT thread_id FROM checkpoints WHERE run_id = ?"
            " UNION SELECT thread_id FROM write_undo WHERE run_id = ?",
            (run_id, run_id),
        )
        for (thread_id,) in threads:
            yield from delete_run(cipher, thread_id, run_id)


def copy_thread(thread_id: str, new_thread_id: str) -> Transition[None]:
    """All checkpoints, values and writes under another thread id. What runs overwrote is not copied: the copy
    has no runs that could be rolled back."""
    for table, columns in _COPIED.items():
        yield (
            f"INSERT OR REPLACE INTO {table}(thread_id, {columns})"
            f" SELECT ?, {columns} FROM {table} WHERE thread_id = ?",
            (new_thread_id, thread_id),
        )


def keep_latest(cipher: Cipher, thread_id: str, keep: int) -> Transition[None]:
    """See `keep_newest`."""
    yield from keep_newest(thread_id, keep, _HAS_DELTAS, partial(_drop, cipher))


def keep_newest(thread_id: str, keep: int, has_deltas: str, drop: Drop) -> Transition[None]:
    """Prune each namespace to its newest `keep` checkpoints. Where a graph uses delta channels, ancestors that
    these still need for their values stay as well. `has_deltas`: SQL test, whether a checkpoint builds on its
    parent."""
    rows = yield (
        f"SELECT checkpoint_ns, checkpoint_id, parent_checkpoint_id, {has_deltas} FROM checkpoints"
        " WHERE thread_id = ? ORDER BY checkpoint_ns, checkpoint_id DESC",
        (thread_id,),
    )
    yield from drop(thread_id, list(_superfluous(rows, keep)))
    yield (
        "UPDATE checkpoints SET parent_checkpoint_id = NULL WHERE thread_id = ?"
        " AND (checkpoint_ns, parent_checkpoint_id) NOT IN"
        " (SELECT checkpoint_ns, checkpoint_id FROM checkpoints WHERE thread_id = ?)",
        (thread_id, thread_id),
    )


def prune(cipher: Cipher, thread_ids: Sequence[str], strategy: str) -> Transition[None]:
    """`keep_latest` or `delete` for several threads. Raises `ValueError` for another strategy."""
    if strategy not in ("keep_latest", "delete"):
        raise ValueError(f"Unknown strategy: {strategy}")
    for thread_id in thread_ids:
        yield from (
            delete_thread(cipher, thread_id) if strategy == "delete" else keep_latest(cipher, thread_id, 1)
        )


def newest_run_id(thread_id: str) -> Transition[str | None]:
    """The run id that the newest root checkpoint of the thread carries."""
    rows = yield (
        "SELECT run_id FROM checkpoints WHERE thread_id = ? AND checkpoint_ns = ''"
        " ORDER BY checkpoint_id DESC LIMIT 1",
        (thread_id,),
    )
    return rows[0][0] if rows else None


def storage(thread_id: str) -> Transition[JsonObject]:
    """The answer of `Checkpoints.storage`."""
    return byte_report(
        thread_id,
        "SELECT count(*), coalesce(sum(length(CAST(checkpoint AS BLOB)) + length(CAST(metadata AS BLOB))), 0)"
        " FROM checkpoints WHERE thread_id = ?",
        "SELECT count(*), coalesce(sum(length(blob)), 0) FROM checkpoint_writes WHERE thread_id = ?",
        # The versions of one log share its bytes.
        "SELECT channel, sum(versions), sum(bytes) FROM (SELECT channel, count(*) AS versions,"
        " sum(length(blob)) + coalesce(max(length), 0) AS bytes FROM checkpoint_blobs"
        " WHERE thread_id = ? GROUP BY channel, log) GROUP BY channel ORDER BY channel",
    )


def undo_writes(thread_id: str, run_id: str) -> Transition[None]:
    """Put back what stood where a run wrote on checkpoints of others (`rows.py` says why)."""
    undo = yield (
        f"SELECT seq, existed, {WRITE} FROM write_undo WHERE thread_id = ? AND run_id = ?",
        (thread_id, run_id),
    )
    for seq, existed, *write in undo:
        slot, content = write[:5], write[5:]
        # If a later run wrote there too, what stood before us is what undoing that run must bring back.
        ((successor,),) = yield f"SELECT min(seq) FROM write_undo WHERE {_OF_SLOT} AND seq > ?", (*slot, seq)
        if successor is not None:
            yield (
                "UPDATE write_undo SET existed = ?, task_path = ?, channel = ?, type = ?, blob = ?"
                " WHERE seq = ?",
                (existed, *content, successor),
            )
            continue
        yield f"DELETE FROM checkpoint_writes WHERE {_OF_SLOT}", slot
        if existed:
            yield f"INSERT INTO checkpoint_writes({WRITE}) VALUES ({marks(9)})", write


def _drop(cipher: Cipher, thread_id: str, doomed: Sequence[Row]) -> Transition[None]:
    for ns, checkpoint_id in doomed:
        for table in ("checkpoints", "checkpoint_writes", "write_undo"):
            yield f"DELETE FROM {table} WHERE {OF_CHECKPOINT}", (thread_id, ns, checkpoint_id)
    if doomed:
        yield from drop_unnamed_values(cipher, thread_id)


def _superfluous(rows: Iterable[Row], keep: int) -> Iterator[tuple[str, str]]:
    """Namespace and id of the checkpoints to drop when each namespace keeps its newest `keep`, and of those what they
    need. Rows are (namespace, id, id of the parent, whether it builds on the parent), newest first."""
    by_namespace: dict[str, dict[str, tuple[str | None, int]]] = {}
    for ns, checkpoint_id, parent, has_deltas in rows:
        by_namespace.setdefault(ns, {})[checkpoint_id] = (parent, has_deltas)
    for ns, found in by_namespace.items():
        kept: set[str] = set()
        for newest in list(found)[:keep]:
            needed: str | None = newest
            while needed in found and needed not in kept:
                kept.add(needed)
                parent, has_deltas = found[needed]
                needed = parent if has_deltas else None
        yield from ((ns, checkpoint_id) for checkpoint_id in found if checkpoint_id not in kept)
