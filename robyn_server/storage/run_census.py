"""How much waits and runs, for those who watch."""

from datetime import datetime

from robyn_server.resources.run import Census
from robyn_server.storage.db import Transition
from robyn_server.storage.dialect import Dialect
from robyn_server.storage.thread_status import PENDING, RUNNING


def census_of(dialect: Dialect, now: datetime) -> Transition[Census]:
    """See `RunQueue.census`."""
    ((pending, oldest),) = yield f"SELECT count(*), min(run_at) FROM run WHERE status = '{PENDING}'", ()
    middle = yield (
        f"SELECT run_at FROM run r {dialect.by('run_due_at')} WHERE r.status = '{PENDING}'"
        " ORDER BY run_at LIMIT 1 OFFSET ?",
        (max(0, pending - 1 - pending // 2),),
    )
    ((running, workers),) = yield (
        f"SELECT count(*), count(DISTINCT CASE WHEN lease_until > {dialect.now} THEN worker_id END)"
        f" FROM run WHERE status = '{RUNNING}'",
        (),
    )

    def waited(raw: object) -> float:
        since = dialect.read_moment(raw)
        return 0.0 if since is None else max(0.0, (now - since).total_seconds())

    median = waited(middle[0][0]) if middle else 0.0
    return Census(pending, running, workers, waited(oldest), median)
