"""The HTTP application: the runtime and the list of surfaces."""

from robyn_server.runtime import Prepared, open_runtime
from robyn_server.surfaces import langgraph, system
from robyn_server.web.application import Application

SURFACES = (system.SURFACE, langgraph.SURFACE)


async def open_application(prepared: Prepared) -> Application:
    """Open everything and begin to work; the port is bound after this."""
    runtime = await open_runtime(prepared)
    await runtime.start()
    return Application(
        engine=runtime.engine,
        auth=prepared.auth,
        surfaces=SURFACES,
        metrics=runtime.metrics,
        drain=runtime.drain,
        close=runtime.close,
    )
