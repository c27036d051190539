"""What the web room serves: the engine, its surfaces, and how both end."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from robyn_server.auth.interfaces import Auth
from robyn_server.resources.types import Json
from robyn_server.web.authentication import QueryCredentials
from robyn_server.web.rate_limit import RateLimit
from robyn_server.web.routing import Surface

if TYPE_CHECKING:
    from robyn_server.engine import Engine
    from robyn_server.web.asgi_mount import CustomApp


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
    logged_headers: Mapping[str, Json] = field(default_factory=dict)
    """Rules as in `resources/header_rules.py`: the headers that the access log shows."""
    query_credentials: QueryCredentials | None = None
    """What streams accept in their query, None: nothing."""
    rate_limit: RateLimit | None = None
    shared: bool = False
    """Whether other servers do the same work: then this one serves until it has drained."""
    custom: "CustomApp | None" = None
    """A project's own application, which gets every request first."""
