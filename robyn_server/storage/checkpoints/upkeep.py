"""The upkeep of checkpoints, as transitions, and where it may be much as works in portions. Each may be repeated after
a crash."""

from collections.abc import Iterable, Iterator, Sequence
from functools import partial

from robyn_server.resources.types import JsonObject
from robyn_server.storage.checkpoints.encoding import DELTA_MARK
from robyn_server.storage.checkpoints.portions import Change, Look, Work, portions
from robyn_server.storage.checkpoints.report import byte_report
from robyn_server.storage.checkpoints.rows import SLOT, WRITE
from robyn_server.storage.checkpoints.values import drop_some_values, drop_values, listed, unnamed_values
from robyn_server.storage.db import Row, Transition
from robyn_server.storage.dialect import marks
from robyn_server.storage.encryption.cipher import Cipher

AT_ONCE = 250
"""Checkpoints or values in one transaction. It holds the writer for some 10 ms."""

LOOKS = 20
"""How often a prune begins anew where runs add to the thread meanwhile."""

_OF_SLOT = " AND ".join(f"{column} = ?" for column in SLOT.split(", "))

_HAS_DELTAS = f"""instr(metadata, '"{DELTA_MARK}"') > 0"""

CHECKPOINT_TABLES = ("checkpoints", "checkpoint_writes", "write_undo")

_LISTED = (
    "thread_id = ? AND (checkpoint_ns, checkpoint_id) IN"
    " (SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]') FROM json_each(?))"
)

_COPIED = {
    "checkpoints": "checkpoint_ns, checkpoint_id, parent_checkpoint_id, run_id, checkpoint, metadata",
    "checkpoint_blobs": "checkpoint_ns, channel, version, type, blob, log, length",
    "checkpoint_writes": WRITE.removeprefix("thread_id, "),
}


def delete_thread(cipher: Cipher, thread_id: str) -> Work[None]:
    """Every checkpoint of the thread, in all namespaces, with its values and writes."""
    while (yield Change(partial(_drop_some, cipher, thread_id))):
        pass


def delete_run(cipher: Cipher, thread_id: str, run_id: str) -> Work[None]:
    """Every checkpoint that carries this run id, with its writes and what only it uses; and on checkpoints of
    earlier runs, what this run wrote is undone, so that an interrupt it had answered is pending again."""
    while (yield Change(partial(_drop_some_of_run, thread_id, run_id))):
        pass
    yield from _drop_unnamed(cipher, thread_id)


def delete_runs(cipher: Cipher, run_ids: Sequence[str]) -> Work[None]:
    """`delete_run` on every thread where one of the runs left something."""
    for run_id in run_ids:
        for thread_id in (yield Look(partial(_threads_of, run_id))):
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


def keep_latest(cipher: Cipher, thread_id: str, keep: int) -> Work[None]:
    """Prune each namespace to its newest `keep` checkpoints and what these need. Where runs do not stop to add to the
    thread meanwhile, some more stay."""
    for _ in range(LOOKS):
        if (yield from _prune_once(thread_id, keep)):
            break
    yield from _drop_unnamed(cipher, thread_id)
    orphans = yield Look(partial(_orphans, thread_id))
    for portion in portions(orphans, AT_ONCE):
        yield Change(partial(_forget_parents, thread_id, portion))


def superfluous(thread_id: str, keep: int, has_deltas: str) -> Transition[list[tuple[str, str]]]:
    """Namespace and id of the checkpoints to drop when each namespace keeps its newest `keep`; in each the newest
    first. Where a graph uses delta channels, ancestors that the kept ones still need for their values stay as well.
    `has_deltas`: SQL test, whether a checkpoint builds on its parent."""
    rows = yield (
        f"SELECT checkpoint_ns, checkpoint_id, parent_checkpoint_id, {has_deltas} FROM checkpoints"
        " WHERE thread_id = ? ORDER BY checkpoint_ns, checkpoint_id DESC",
        (thread_id,),
    )
    return list(_superfluous(rows, keep))


def prune(cipher: Cipher, thread_ids: Sequence[str], strategy: str) -> Work[None]:
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


def _drop_some(cipher: Cipher, thread_id: str) -> Transition[bool]:
    """Some of what a thread has; whether there is more."""
    some = yield (
        "SELECT checkpoint_ns, checkpoint_id FROM checkpoints WHERE thread_id = ?"
        " ORDER BY checkpoint_ns DESC, checkpoint_id DESC LIMIT ?",
        (thread_id, AT_ONCE),
    )
    if len(some) == AT_ONCE:
        yield from _drop(thread_id, some)
        return True
    for table in CHECKPOINT_TABLES:
        yield f"DELETE FROM {table} WHERE thread_id = ?", (thread_id,)
    return (yield from drop_some_values(cipher, thread_id, AT_ONCE)) == AT_ONCE


def _drop_some_of_run(thread_id: str, run_id: str) -> Transition[bool]:
    """Some of the checkpoints of a run, the last put first, and with the rest of them what it wrote on others';
    whether there is more."""
    own = yield (
        "SELECT checkpoint_ns, checkpoint_id FROM checkpoints WHERE run_id = ? AND thread_id = ?"
        " ORDER BY rowid DESC LIMIT ?",
        (run_id, thread_id, AT_ONCE),
    )
    if len(own) == AT_ONCE:
        yield from _drop(thread_id, own)
        return True
    yield from undo_writes(thread_id, run_id)
    yield from _drop(thread_id, own)
    yield "DELETE FROM write_undo WHERE thread_id = ? AND run_id = ?", (thread_id, run_id)
    return False


def _threads_of(run_id: str) -> Transition[list[str]]:
    rows = yield (
        "SELECT thread_id FROM checkpoints WHERE run_id = ?"
        " UNION SELECT thread_id FROM write_undo WHERE run_id = ?",
        (run_id, run_id),
    )
    return [thread_id for (thread_id,) in rows]


def _prune_once(thread_id: str, keep: int) -> Work[bool]:
    """Drop what is superfluous; whether that is all. False when a checkpoint came meanwhile, which may build on one
    of them."""
    newest, doomed = yield Look(partial(_look_at, thread_id, keep))
    for portion in portions(doomed, AT_ONCE):
        if not (yield Change(partial(_drop_unless_newer, thread_id, newest, portion))):
            return False
    return True


def _look_at(thread_id: str, keep: int) -> Transition[tuple[str, list[tuple[str, str]]]]:
    ((newest,),) = yield "SELECT max(checkpoint_id) FROM checkpoints WHERE thread_id = ?", (thread_id,)
    return newest, (yield from superfluous(thread_id, keep, _HAS_DELTAS))


def _drop_unless_newer(thread_id: str, newest: str, doomed: Sequence[Row]) -> Transition[bool]:
    newer = yield (
        "SELECT 1 FROM checkpoints WHERE thread_id = ? AND checkpoint_id > ? LIMIT 1",
        (thread_id, newest),
    )
    if not newer:
        yield from _drop(thread_id, doomed)
    return not newer


def _drop(thread_id: str, doomed: Sequence[Row]) -> Transition[None]:
    """Checkpoints, given as (namespace, id), with their writes."""
    for table in CHECKPOINT_TABLES:
        yield f"DELETE FROM {table} WHERE {_LISTED}", (thread_id, listed(doomed))


def _drop_unnamed(cipher: Cipher, thread_id: str) -> Work[None]:
    """The values that no checkpoint names any more. No checkpoint that comes later will: what it names it puts with
    itself, or the checkpoint before it names it too."""
    unnamed = yield Look(partial(unnamed_values, thread_id))
    for portion in portions(unnamed, AT_ONCE):
        yield Change(partial(drop_values, cipher, thread_id, portion))


def _orphans(thread_id: str) -> Transition[list[Row]]:
    """Checkpoints whose parent is gone."""
    return (
        yield (
            "SELECT checkpoint_ns, checkpoint_id FROM checkpoints c WHERE thread_id = ?"
            " AND parent_checkpoint_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM checkpoints p WHERE"
            " p.thread_id = c.thread_id AND p.checkpoint_ns = c.checkpoint_ns"
            " AND p.checkpoint_id = c.parent_checkpoint_id)",
            (thread_id,),
        )
    )


def _forget_parents(thread_id: str, orphans: Sequence[Row]) -> Transition[None]:
    yield (
        f"UPDATE checkpoints SET parent_checkpoint_id = NULL WHERE {_LISTED}",
        (thread_id, listed(orphans)),
    )


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
