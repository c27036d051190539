"""Hints of a worker process: they go to the server, which passes them on, and come from it."""

from collections.abc import Callable

from robyn_server.events.hub.link import HubLink
from robyn_server.events.hub.messages import encoded
from robyn_server.events.notifier import InProcessNotifier


class JoinedNotifier:
    """See `interfaces.Notifier`."""

    def __init__(self, link: HubLink) -> None:
        self._link = link
        self._here = InProcessNotifier()
        link.on_hint = self._heard

    def run_queued(self) -> None:
        """See `interfaces.Notifier`."""
        self._here.run_queued()
        self._link.say(encoded("queued"))

    def cancel_requested(self, run_id: str) -> None:
        """See `interfaces.Notifier`."""
        self._here.cancel_requested(run_id)
        self._link.say(encoded("cancel", run_id))

    def on_run_queued(self, listener: Callable[[], None]) -> None:
        """See `interfaces.Notifier`."""
        self._here.on_run_queued(listener)

    def on_cancel_requested(self, listener: Callable[[str], None]) -> None:
        """See `interfaces.Notifier`."""
        self._here.on_cancel_requested(listener)

    async def close(self) -> None:
        """See `interfaces.Notifier`. The link is closed with the log."""

    def _heard(self, word: str, run_id: str) -> None:
        if word == "queued":
            self._here.run_queued()
        else:
            self._here.cancel_requested(run_id)
