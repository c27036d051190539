"""The HTTP application: the runtime and the list of surfaces."""

from robyn_server import __version__
from robyn_server.resources.types import JsonObject
from robyn_server.runtime import Prepared, open_runtime
from robyn_server.surfaces import langgraph
from robyn_server.surfaces.system.routes import System
from robyn_server.web.application import Application
from robyn_server.web.openapi import document

SURFACES = (langgraph.SURFACE,)
"""The guests. The system routes come with an application: they speak of it."""


async def open_application(prepared: Prepared) -> Application:
    """Open everything and begin to work; the port is bound after this."""
    runtime = await open_runtime(prepared)
    await runtime.start()

    def describe(base_url: str) -> JsonObject:
        return document((system, *SURFACES), base_url, __version__)

    system = System(runtime.metrics, describe, lambda: runtime.draining, __version__).surface()
    return Application(
        engine=runtime.engine,
        auth=prepared.auth,
        surfaces=(system, *SURFACES),
        drain=runtime.drain,
        close=runtime.close,
        metrics=runtime.metrics,
    )
