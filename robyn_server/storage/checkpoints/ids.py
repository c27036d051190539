"""Keeps the ids of new checkpoints above those of their thread.

A checkpoint's id is made from the clock of the process that makes it, and the newest of a thread is the one with the
greatest id. Where the clocks of two workers differ, what the second one adds to a thread would be older than what the
first one left there, and never be found. So LangGraph's generator, which remembers the last time it gave out, is told
of a thread's newest id before anything is added.
"""

from langgraph.checkpoint.base import id as generator

LAST_GIVEN = "_last_v6_timestamp"


def stay_above(checkpoint_id: str) -> None:
    """Every id made in this process from now on is greater."""
    try:
        given = generator.UUID(hex=checkpoint_id)
    except ValueError:
        # Written by another program, by rules of its own.
        return
    if given.version == 6:
        # The library offers no other way.
        last: int = getattr(generator, LAST_GIVEN) or 0
        setattr(generator, LAST_GIVEN, max(last, given.time))
