"""The HTTP application: the runtime and the list of surfaces."""

from collections.abc import Callable

from robyn_server import __version__
from robyn_server.observability.metrics import Metrics
from robyn_server.resources.types import JsonObject
from robyn_server.runtime import Prepared, open_runtime
from robyn_server.surfaces import langgraph
from robyn_server.surfaces.system.routes import System
from robyn_server.web.application import Application
from robyn_server.web.openapi import document
from robyn_server.web.routing import Surface

GUESTS = (langgraph.SURFACE,)


def surfaces(metrics: Metrics, draining: Callable[[], bool]) -> tuple[Surface, ...]:
    """All that is served: the guests, and the routes about the server, which speak of this one."""

    def describe(base_url: str) -> JsonObject:
        return document((system, *GUESTS), base_url, __version__)

    system = System(metrics, describe, draining, __version__).surface()
    return (system, *GUESTS)


async def open_application(prepared: Prepared) -> Application:
    """Open everything and begin to work; the port is bound after this."""
    runtime = await open_runtime(prepared)
    await runtime.start()
    return Application(
        engine=runtime.engine,
        auth=prepared.auth,
        surfaces=surfaces(runtime.metrics, lambda: runtime.draining),
        drain=runtime.drain,
        close=runtime.close,
        metrics=runtime.metrics,
    )
