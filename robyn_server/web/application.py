"""What the web room serves: the engine, its surfaces, and how both end."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from robyn_server.auth.interfaces import Auth
from robyn_server.web.routing import Surface

if TYPE_CHECKING:
    from robyn_server.engine import Engine


class RequestObserver(Protocol):
    """Counts requests, e.g. `observability.metrics.Metrics`."""

    def request_ended(self, method: str, path: str, status: int, milliseconds: float) -> None:
        """One answered request; `path` is its route's (`/threads/{thread_id}`), "" when there was none."""


@dataclass(frozen=True, slots=True)
class Application:
    """An open application. `drain` finishes or hands back what is under way; `close` lets go of everything."""

    engine: "Engine"
    auth: Auth
    surfaces: tuple[Surface, ...]
    drain: Callable[[], Awaitable[None]]
    close: Callable[[], Awaitable[None]]
    metrics: RequestObserver | None = None
