"""The states of a run and of a thread, and which changes happen. The statements in `storage/run_queue.py` and
`storage/run_endings.py` make them; a test does everything to runs in every status and compares.

    pending --claim--> running --> success | error | timeout | interrupted (cancelled)
    pending --cancel--> interrupted
    running --lease lost, shutdown, retry--> pending

A rolled back run has no status: its row is deleted. A run that stops at an interrupt of its graph is `success`;
only the thread is `interrupted` then.
"""

from collections.abc import Mapping
from typing import Literal

RunStatus = Literal["pending", "running", "success", "error", "timeout", "interrupted"]
ThreadStatus = Literal["idle", "busy", "interrupted", "error"]
MultitaskStrategy = Literal["reject", "enqueue", "interrupt", "rollback"]
CancelAction = Literal["interrupt", "rollback"]

ACTIVE: tuple[RunStatus, ...] = ("pending", "running")
TERMINAL: tuple[RunStatus, ...] = ("success", "error", "timeout", "interrupted")

TRANSITIONS: Mapping[RunStatus, frozenset[RunStatus]] = {
    "pending": frozenset({"running", "interrupted"}),
    "running": frozenset({"success", "error", "timeout", "interrupted", "pending"}),
    "success": frozenset(),
    "error": frozenset(),
    "timeout": frozenset(),
    "interrupted": frozenset(),
}


def thread_status(*, active_runs: bool, failed: bool, has_next: bool) -> ThreadStatus:
    """What a thread's status is: `failed` says that its last run ended in error or timeout, `has_next` that its
    newest checkpoint still has nodes to run. `storage/thread_status.py` says the same in SQL; a test compares them."""
    if active_runs:
        return "busy"
    if failed:
        return "error"
    return "interrupted" if has_next else "idle"
