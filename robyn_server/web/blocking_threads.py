"""How many threads wait for stream chunks.

A stream that waits for its next chunk holds one of actix's blocking threads. Actix makes 512 / (CPUs) of them for
each worker: eight on sixty-four CPUs. So the server is started as if the machine had one. More workers would bring more
threads too, but they get in each other's way: with eight on two cores requests took 10 to 30 % more CPU than with two.
"""

import os
from contextlib import suppress
from pathlib import Path

THREADS_PER_WORKER = 512
SPARE = 16
"""Threads left for what else may need one."""


def capacity(workers: int) -> int:
    """How many streams can wait at once, each with a thread of its own."""
    seen = 1 if hasattr(os, "sched_setaffinity") else os.cpu_count() or 1
    return max(1, workers * (THREADS_PER_WORKER // seen) - SPARE)


def show_one_cpu() -> frozenset[int]:
    """Keep this thread, and those it starts, to one CPU; gives what `show_all_cpus` wants to have."""
    if not hasattr(os, "sched_setaffinity"):
        return frozenset()
    everything = frozenset(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {min(everything)})
    return everything


def show_all_cpus(everything: frozenset[int]) -> None:
    """Let all threads of this process use all CPUs again."""
    if not everything:
        return
    for thread in Path("/proc/self/task").iterdir():
        with suppress(ProcessLookupError):
            os.sched_setaffinity(int(thread.name), everything)
