"""`run_lifecycle.thread_status` in SQL; a test compares the two."""

from collections.abc import Iterable

from robyn_server.resources.run_lifecycle import ACTIVE, RunStatus, thread_status
from robyn_server.storage.db import Transition
from robyn_server.storage.dialect import Dialect

PENDING, RUNNING = ACTIVE

LEAVING = "expires_at IS NOT NULL AND ttl_strategy IS NULL"
"""A thread that `ThreadRows.expire` has marked: whoever reads does not see it any more."""


def one_of(statuses: Iterable[RunStatus]) -> str:
    """`('pending', 'running')`: statuses as an SQL list."""
    return "(" + ", ".join(f"'{status}'" for status in statuses) + ")"


def _word(*, active_runs: bool = False, failed: bool = False, has_next: bool = False) -> str:
    return f"'{thread_status(active_runs=active_runs, failed=failed, has_next=has_next)}'"


# One EXISTS for each status: each has a partial index, so a long history of ended runs costs nothing.
HAS_ACTIVE_RUNS = " OR ".join(
    f"EXISTS (SELECT 1 FROM run WHERE run.thread_id = thread.thread_id AND run.status = '{status}')"
    for status in ACTIVE
)
"""A test on a row of `thread`."""

BUSY = thread_status(active_runs=True, failed=False, has_next=False)


def status_from(failed: str = "thread.last_failed", has_next: str = "thread.has_next") -> str:
    """An expression over a row of `thread`: its status by its runs, and by two expressions for what is or becomes of
    the columns `last_failed` and `has_next`."""
    return f"""CASE
  WHEN {HAS_ACTIVE_RUNS} THEN {_word(active_runs=True)}
  WHEN {failed} THEN {_word(failed=True)}
  WHEN {has_next} THEN {_word(has_next=True)}
  ELSE {_word()} END"""


THREAD_STATUS = status_from()


def refresh_status(dialect: Dialect, thread_id: str) -> Transition[None]:
    """Recompute the status of a thread after its runs, `last_failed` or `has_next` have changed, in the same
    transaction."""
    yield (
        f"UPDATE thread SET status = {THREAD_STATUS}, updated_at = {dialect.now} WHERE thread_id = ?",
        (thread_id,),
    )
