"""Why an execution is stopped from outside. A value on the job, not a set in a module."""

from dataclasses import dataclass

from robyn_server.resources.run_lifecycle import CancelAction


@dataclass(frozen=True, slots=True)
class CancelRequested:
    """Somebody asked for it, for good."""

    action: CancelAction
    reason: str


@dataclass(frozen=True, slots=True)
class LeaseLost:
    """Another worker may have it by now: write nothing more."""


@dataclass(frozen=True, slots=True)
class ShuttingDown:
    """Put it back; somebody else goes on."""


@dataclass(frozen=True, slots=True)
class TimedOut:
    """It took longer than runs may take."""


StopReason = CancelRequested | LeaseLost | ShuttingDown | TimedOut
