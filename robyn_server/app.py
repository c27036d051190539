"""The HTTP application: the runtime and the list of surfaces."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from robyn_server import __version__
from robyn_server.auth.tickets import StreamTickets
from robyn_server.events.counters import InProcessCounters
from robyn_server.graphs.config_file import GraphSpec
from robyn_server.graphs.loader import load
from robyn_server.observability.metrics import Metrics
from robyn_server.resources.types import JsonObject
from robyn_server.runtime import Prepared, open_runtime
from robyn_server.settings import Settings, is_shared
from robyn_server.surfaces import a2a, collections, langgraph, mcp
from robyn_server.surfaces.sign_in.routes import SignIn
from robyn_server.surfaces.system.routes import System
from robyn_server.web.application import Application
from robyn_server.web.authentication import QueryCredentials
from robyn_server.web.http_section import HttpSection
from robyn_server.web.openapi import document, joined, secured
from robyn_server.web.rate_limit import RateLimit
from robyn_server.web.routing import Surface

if TYPE_CHECKING:
    from robyn_server.web.asgi_mount import CustomApp

GUESTS = (langgraph.SURFACE, mcp.SURFACE, a2a.SURFACE, collections.SURFACE)


@dataclass(frozen=True, slots=True)
class Project:
    """What a langgraph.json says of its HTTP side. `own_routes` and `auth` go into the OpenAPI document: the custom
    application's document, and the section `auth.openapi`."""

    http: HttpSection = field(default_factory=HttpSection)
    prefix: str = ""
    own_routes: JsonObject = field(default_factory=dict)
    auth: JsonObject = field(default_factory=dict)

    def describe(self, surfaces: tuple[Surface, ...], base_url: str) -> JsonObject:
        """The OpenAPI document."""
        shown = [self.http.documented(one) for one in surfaces]
        return secured(
            joined(document(shown, base_url + self.prefix, __version__), self.own_routes), self.auth
        )


def surfaces(
    metrics: Metrics,
    draining: Callable[[], bool],
    tickets: StreamTickets,
    project: Project | None = None,
) -> tuple[Surface, ...]:
    """All that is served: the guests, and the routes about the server, which speak of this one."""
    project = project or Project()
    guests = (*GUESTS, SignIn(tickets).surface())

    def describe(base_url: str) -> JsonObject:
        return project.describe((system, *guests), base_url)

    system = System(metrics, describe, draining, __version__).surface()
    return tuple(project.http.served(one) for one in (system, *guests))


async def open_application(prepared: Prepared, http: HttpSection, workers_alive: bool = False) -> Application:
    """Open everything and begin to work; the port is bound after this. `workers_alive`: worker processes have been at
    work on the data directory before this server."""
    custom = load_custom(prepared, http)
    project = Project(
        http,
        prepared.settings.mount_prefix,
        custom.document() if custom else {},
        prepared.config_file.section("auth").get("openapi") or {},
    )
    runtime = await open_runtime(prepared, workers_alive=workers_alive)
    if custom:
        await custom.start()
    await runtime.start()

    tickets = runtime.parts.tickets

    limit = rate_limit(prepared.settings)

    async def close() -> None:
        if custom:
            await custom.stop()
        if limit:
            await limit.close()
        await runtime.close()

    return Application(
        engine=runtime.engine,
        auth=prepared.auth,
        surfaces=surfaces(runtime.metrics, lambda: runtime.draining, tickets, project),
        drain=runtime.drain,
        close=close,
        metrics=runtime.metrics,
        logged_headers=http.logging_headers,
        rate_limit=limit,
        shared=is_shared(prepared.settings),
        custom=custom,
        query_credentials=QueryCredentials(tickets, prepared.settings.allow_query_token),
    )


def rate_limit(settings: Settings) -> RateLimit | None:
    """The limit of requests, counted by all servers together where they share a Redis."""
    if settings.rate_limit is None:
        return None
    if not is_shared(settings) or settings.redis_uri is None:
        return RateLimit(InProcessCounters(), settings.rate_limit)
    # As in `runtime.open_events`.
    from robyn_server.events.redis.counters import RedisCounters  # noqa: PLC0415

    return RateLimit(RedisCounters(settings.redis_uri), settings.rate_limit)


def load_custom(prepared: Prepared, http: HttpSection) -> "CustomApp | None":
    """The project's own application, if it has one. Raises `StartupError`."""
    if http.app is None:
        return None
    # It brings Starlette, which nobody else needs.
    from robyn_server.web.asgi_mount import CustomApp  # noqa: PLC0415

    place = prepared.config_file.place("http")
    return CustomApp(load(prepared.config_file, "http.app", GraphSpec(http.app, place=place)), http, place)
