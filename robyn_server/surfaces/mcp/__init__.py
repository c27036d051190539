"""The Model Context Protocol at `/mcp`: every assistant is a tool."""

from robyn_server.surfaces.mcp.routes import ROUTES
from robyn_server.surfaces.mcp.schemas import SCHEMAS
from robyn_server.web.routing import Surface

SURFACE = Surface("mcp", ROUTES, SCHEMAS)
