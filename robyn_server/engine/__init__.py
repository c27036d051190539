"""VERBS, in the words of the langgraph_sdk client. Front door: `Engine`.

    engine.acting_for(caller, facts).runs.create(...)

Imports interfaces of storage, events, graphs and auth; knows nothing of HTTP.
"""

from collections.abc import Mapping
from functools import cached_property

from robyn_server.engine.access import Access
from robyn_server.engine.assistants import Assistants
from robyn_server.engine.collections import Collections
from robyn_server.engine.crons import Crons
from robyn_server.engine.parts import Parts
from robyn_server.engine.runs import Runs
from robyn_server.engine.store import Store
from robyn_server.engine.thread_protocol import ThreadProtocol
from robyn_server.engine.thread_state import ThreadStates
from robyn_server.engine.threads import Threads
from robyn_server.resources.caller import ANONYMOUS, Caller
from robyn_server.resources.request_facts import NO_REQUEST, RequestFacts


class Engine:
    """The verbs, already acting for one caller."""

    def __init__(self, parts: Parts, caller: Caller = ANONYMOUS, facts: RequestFacts = NO_REQUEST) -> None:
        self.parts = parts
        self.facts = facts
        self.access = Access(parts.auth, caller)

    def acting_for(self, caller: Caller, facts: RequestFacts = NO_REQUEST) -> "Engine":
        """The same engine for somebody else."""
        return Engine(self.parts, caller, facts)

    async def admitted(self, caller: Caller, headers: Mapping[str, str]) -> Caller:
        """The caller, with what a project's encryption handlers make of the request; what this task writes from now on
        is encrypted accordingly. Raises `Unprocessable`, `Unavailable`."""
        contexts = self.parts.storage.contexts
        return caller if contexts is None else await contexts.admitted(caller, headers)

    @cached_property
    def assistants(self) -> Assistants:
        """Assistants and what their graphs look like."""
        return Assistants(self.parts, self.access)

    @cached_property
    def threads(self) -> Threads:
        """Threads as rows."""
        return Threads(self.parts, self.access)

    @cached_property
    def states(self) -> ThreadStates:
        """State and history of threads."""
        return ThreadStates(self.parts, self.access)

    @cached_property
    def runs(self) -> Runs:
        """Runs and their streams."""
        return Runs(self.parts, self.access, self.facts)

    @cached_property
    def protocol(self) -> ThreadProtocol:
        """Runs of a thread by the thread protocol."""
        return ThreadProtocol(self.parts, self.access, self.facts)

    @cached_property
    def crons(self) -> Crons:
        """Crons."""
        return Crons(self.parts, self.access)

    @cached_property
    def collections(self) -> Collections:
        """Documents to be searched by meaning."""
        return Collections(self.parts, self.access)

    @cached_property
    def store(self) -> Store:
        """Long-term memory."""
        return Store(self.parts, self.access)
