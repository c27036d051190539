"""What a run's graph may do in the name of who started it."""

from datetime import timedelta

from langgraph.store.base import BaseStore

from robyn_server.auth.secrets import COLLECTIONS_ACCESS
from robyn_server.auth.tickets import COLLECTIONS
from robyn_server.engine.access import OWNERS_MODES, Access
from robyn_server.engine.parts import Parts
from robyn_server.resources.caller import Caller
from robyn_server.resources.clock import now
from robyn_server.resources.run import Run
from robyn_server.resources.types import JsonObject

LONGEST = timedelta(hours=1)
"""How long a run may read collections."""


def store_of_run(parts: Parts, run: Run) -> BaseStore:
    """Graph code sees what the caller sees."""
    return parts.storage.store_of(Access(parts.auth, _caller(run)).store_owner)


def collections_access(parts: Parts, run: Run) -> JsonObject:
    """For `configurable`: where and with what the agent may search the caller's collections on this server. The caller
    may have no token (API keys), or a stale one (crons); and where nobody signs in none is needed."""
    if parts.auth.mode not in OWNERS_MODES:
        return {}
    lifetime = min(LONGEST, parts.settings.run_time_limit)
    ticket = parts.tickets.issue(_caller(run), COLLECTIONS, now(), lifetime)
    return {COLLECTIONS_ACCESS: {"url": parts.settings.own_url, "ticket": ticket}}


def _caller(run: Run) -> Caller:
    return Caller.from_json(run.caller)
