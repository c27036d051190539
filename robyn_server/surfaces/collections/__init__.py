"""Collections of documents, by LangConnect's contract: what Open Agent Platform and the tools agent's RAG tools ask."""

from robyn_server.surfaces.collections.routes import ROUTES
from robyn_server.surfaces.collections.schemas import SCHEMAS
from robyn_server.web.routing import Surface

SURFACE = Surface("collections", ROUTES, SCHEMAS)
