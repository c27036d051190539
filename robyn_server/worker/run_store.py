"""The store that a run's graph is given."""

from langgraph.store.base import BaseStore

from robyn_server.engine.access import Access
from robyn_server.engine.parts import Parts
from robyn_server.resources.caller import Caller
from robyn_server.resources.run import Run


def store_of_run(parts: Parts, run: Run) -> BaseStore:
    """Graph code sees what the caller sees who started the run."""
    return parts.storage.store_of(Access(parts.auth, Caller.from_json(run.caller)).store_owner)
