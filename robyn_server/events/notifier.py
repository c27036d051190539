"""Hints within one process: plain calls on the loop's thread."""

from collections.abc import Callable


class InProcessNotifier:
    """See `interfaces.Notifier`."""

    def __init__(self) -> None:
        self._queued: list[Callable[[], None]] = []
        self._cancelled: list[Callable[[str], None]] = []

    def run_queued(self) -> None:
        """Wake everybody who claims."""
        for listener in self._queued:
            listener()

    def cancel_requested(self, run_id: str) -> None:
        """Tell whoever executes the run."""
        for listener in self._cancelled:
            listener(run_id)

    def on_run_queued(self, listener: Callable[[], None]) -> None:
        """Be told that there may be something to claim."""
        self._queued.append(listener)

    def on_cancel_requested(self, listener: Callable[[str], None]) -> None:
        """Be told that a running run has a cancel intent."""
        self._cancelled.append(listener)

    async def close(self) -> None:
        """See `interfaces.Notifier`; nothing is open."""
