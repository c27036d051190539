"""Six moments of a run's life. Numbers, traces and webhooks listen here; they do not live inside the engine."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from robyn_server.resources.run import Ending, Run


class RunHook(Protocol):
    """A listener; override the moments of interest. A hook must not raise and must return soon."""

    def created(self, run: Run) -> None:
        """The run is queued (committed)."""
        return None

    def started(self, run: Run) -> None:
        """A worker has claimed it; `run.attempt` says for the how manieth time."""
        return None

    def retrying(self, run: Run, error: BaseException) -> None:
        """An infrastructure failure sent it back to the queue."""
        return None

    def handed_back(self, run: Run) -> None:
        """A worker that is shutting down put it back."""
        return None

    def finished(self, run: Run, ending: Ending, ended_at: datetime) -> None:
        """It has ended (committed)."""
        return None

    def lost(self, run: Run) -> None:
        """Its worker lost the lease; somebody else goes on with it."""
        return None


class RunHooks(RunHook):
    """Many listeners as one."""

    def __init__(self, listeners: Sequence[RunHook] = ()) -> None:
        self._listeners = list(listeners)

    def add(self, listener: RunHook) -> None:
        """Let another one listen."""
        self._listeners.append(listener)

    def created(self, run: Run) -> None:
        """See `RunHook`."""
        for listener in self._listeners:
            listener.created(run)

    def started(self, run: Run) -> None:
        """See `RunHook`."""
        for listener in self._listeners:
            listener.started(run)

    def retrying(self, run: Run, error: BaseException) -> None:
        """See `RunHook`."""
        for listener in self._listeners:
            listener.retrying(run, error)

    def handed_back(self, run: Run) -> None:
        """See `RunHook`."""
        for listener in self._listeners:
            listener.handed_back(run)

    def finished(self, run: Run, ending: Ending, ended_at: datetime) -> None:
        """See `RunHook`."""
        for listener in self._listeners:
            listener.finished(run, ending, ended_at)

    def lost(self, run: Run) -> None:
        """See `RunHook`."""
        for listener in self._listeners:
            listener.lost(run)
