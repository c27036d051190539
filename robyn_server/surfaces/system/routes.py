"""`/ok`, `/health`, `/info`, `/metrics`, `/docs`, `/openapi.json`."""

import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import version

from robyn_server.engine import Engine
from robyn_server.engine.run_config import API_VERSION
from robyn_server.errors import InvalidRequest, Unavailable
from robyn_server.observability.metrics import Metrics
from robyn_server.resources.ids import ASSISTANT_NAMESPACE
from robyn_server.resources.types import Json, JsonObject
from robyn_server.surfaces.system.docs_page import docs_page
from robyn_server.web.routing import Reply, Request, Route, Surface

TAGS = ("System",)
PROMETHEUS = "text/plain; version=1.0.0; charset=utf-8"
GRAPH_ID_BODIES = ("AssistantCreate", "AssistantPatch", "AssistantSearchRequest")


@dataclass(frozen=True, slots=True)
class System:
    """The handlers, and what they speak of. `document` makes the OpenAPI document for a base url; `draining` says
    whether the server is about to stop."""

    metrics: Metrics
    document: Callable[[str], JsonObject]
    draining: Callable[[], bool]
    own_version: str

    def surface(self) -> Surface:
        """The routes."""
        return Surface(
            "system",
            (
                _route("/", self.ok, "Health Check"),
                _route("/ok", self.ok, "Health Check", query=(("check_db", "integer"),)),
                _route("/health", self.health, "Health Check"),
                _route("/info", self.info, "Server Information"),
                _route("/metrics", self.numbers, "Metrics", query=(("format", "string"),)),
                _route("/docs", self.docs, "API Documentation"),
                _route("/openapi.json", self.openapi, "OpenAPI Document"),
            ),
        )

    async def ok(self, request: Request) -> Reply:
        """Whether the server can be used; with `check_db=1` its database too. Raises `Unavailable`."""
        if self.draining():
            raise Unavailable("The server is shutting down")
        check_db = request.query_value("check_db")
        if check_db is not None and _integer(check_db):
            await request.engine.parts.storage.ready()
        return Reply.json({"ok": True, "services": {}})

    async def health(self, request: Request) -> Reply:
        """The same for load balancers that look here."""
        await self.ok(request)
        return Reply.json({"status": "ok"})

    async def info(self, request: Request) -> Reply:
        """Versions, capabilities and identity of this deployment."""
        return Reply.json(
            {
                "version": API_VERSION,
                "langgraph_py_version": version("langgraph"),
                "flags": {
                    "assistants": True,
                    "crons": request.engine.parts.settings.crons_enabled,
                    "langsmith": False,
                    "langsmith_tracing_replicas": True,
                    "langsmith_tracing_session_on_runs": True,
                },
                "host": {
                    "kind": "self-hosted",
                    "project_id": deployment_id(request.engine, "project"),
                    "host_revision_id": None,
                    "revision_id": None,
                    "tenant_id": deployment_id(request.engine, "tenant"),
                },
                "service": "robyn-agent-server",
                "service_version": self.own_version,
            }
        )

    async def numbers(self, request: Request) -> Reply:
        """Numbers for Prometheus, or as JSON with `format=json`."""
        census = await self.metrics.census(request.engine.parts.storage.queue)
        if request.query_value("format") == "json":
            return Reply.json(self.metrics.as_json(census))
        return Reply(200, self.metrics.as_prometheus(census).encode(), PROMETHEUS)

    async def docs(self, request: Request) -> Reply:
        """The routes as a page to read."""
        page = docs_page(self._document(request))
        return Reply(200, page.encode(), "text/html; charset=utf-8")

    async def openapi(self, request: Request) -> Reply:
        """The OpenAPI document."""
        return Reply.json(self._document(request))

    def _document(self, request: Request) -> JsonObject:
        return _naming_graphs(self.document(request.base_url), request.engine.parts.graphs.ids())


def deployment_id(engine: Engine, what: str) -> str:
    """An id that stays the same for one data directory, or one shared database: clients key their deployments by it."""
    storage, settings = engine.parts.storage, engine.parts.settings
    place = settings.data_dir.resolve() if settings.database_uri is None else storage.description
    return str(uuid.uuid5(ASSISTANT_NAMESPACE, f"{what}:{place}"))


def _naming_graphs(document: JsonObject, graph_ids: tuple[str, ...]) -> JsonObject:
    """The document with the served graphs as the choices of `graph_id`."""
    schemas: Mapping[str, Json] = document["components"]["schemas"]
    named = {
        name: {
            **schemas[name],
            "properties": {
                **schemas[name]["properties"],
                "graph_id": {**schemas[name]["properties"]["graph_id"], "enum": list(graph_ids)},
            },
        }
        for name in GRAPH_ID_BODIES
        if name in schemas
    }
    return {**document, "components": {**document["components"], "schemas": {**schemas, **named}}}


def _integer(text: str) -> int:
    try:
        return int(text)
    except ValueError as error:
        raise InvalidRequest(str(error)) from error


def _route(
    path: str,
    handler: Callable[[Request], Awaitable[Reply]],
    summary: str,
    query: tuple[tuple[str, str], ...] = (),
) -> Route:
    return Route("GET", path, handler, public=True, summary=summary, tags=TAGS, query=query)
