"""How many threads wait for stream chunks.

A stream that waits for its next chunk holds one of actix's blocking threads. Actix makes 512 / (CPUs) of them for
each worker: plenty on two CPUs, eight on sixty-four. So the server is started as if the machine were small.
"""

import os
from contextlib import suppress
from pathlib import Path

THREADS_PER_WORKER = 512
FEW = 2
"""CPUs that actix is shown."""

SPARE = 16
"""Threads left for what else may need one."""


def capacity(workers: int) -> int:
    """How many streams can wait at once, each with a thread of its own."""
    seen = min(_usable_cpus(), FEW) if hasattr(os, "sched_setaffinity") else _usable_cpus()
    return max(1, workers * (THREADS_PER_WORKER // seen) - SPARE)


def show_few_cpus() -> frozenset[int]:
    """Keep this thread, and those it starts, to a few CPUs; gives what `show_all_cpus` wants to have."""
    if not hasattr(os, "sched_setaffinity"):
        return frozenset()
    everything = frozenset(os.sched_getaffinity(0))
    os.sched_setaffinity(0, sorted(everything)[:FEW])
    return everything


def show_all_cpus(everything: frozenset[int]) -> None:
    """Let all threads of this process use all CPUs again."""
    if len(everything) <= FEW:
        return
    for thread in Path("/proc/self/task").iterdir():
        with suppress(ProcessLookupError):
            os.sched_setaffinity(int(thread.name), everything)


def _usable_cpus() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
