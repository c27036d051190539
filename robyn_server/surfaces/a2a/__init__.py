"""The Agent2Agent protocol: an assistant is an agent, a thread a context, a run (with its resumptions) a task."""

from robyn_server.surfaces.a2a.routes import ROUTES
from robyn_server.surfaces.a2a.schemas import SCHEMAS
from robyn_server.web.routing import Surface

SURFACE = Surface("a2a", ROUTES, SCHEMAS)
