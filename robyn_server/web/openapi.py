"""The OpenAPI document, made from the same tables that are served. Pure."""

from collections.abc import Mapping, Sequence

from robyn_server.resources.types import Json, JsonObject
from robyn_server.web.route_table import PARAMETER
from robyn_server.web.routing import Route, Surface

ERRORS = {"401": "Unauthorized", "404": "Not Found", "409": "Conflict", "422": "Validation Error"}
ERROR_SCHEMA = "ErrorDetail"


def document(surfaces: Sequence[Surface], base_url: str, version: str) -> JsonObject:
    """The OpenAPI 3.1 document of everything served; `base_url` as the client knows it, with the mount prefix."""
    paths: dict[str, JsonObject] = {}
    schemas: dict[str, Json] = {
        ERROR_SCHEMA: {"type": "object", "properties": {"detail": {"type": "string"}}, "required": ["detail"]}
    }
    for surface in surfaces:
        schemas.update(surface.schemas)
        for route in surface.routes:
            path = PARAMETER.sub(r"{\1}", route.path)
            paths.setdefault(path, {})[route.method.lower()] = _operation(route, surface)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Robyn agent server", "version": version},
        "servers": [{"url": base_url}],
        "tags": [{"name": name} for name in _tags(surfaces)],
        "paths": paths,
        "components": {"schemas": schemas},
    }


def _tags(surfaces: Sequence[Surface]) -> list[str]:
    routes = (route for surface in surfaces for route in surface.routes)
    return list(dict.fromkeys(tag for route in routes for tag in route.tags))


def _operation(route: Route, surface: Surface) -> JsonObject:
    operation: JsonObject = {
        "tags": list(route.tags),
        "summary": route.summary,
        "operationId": _operation_id(route),
        "responses": _responses(route, surface.schemas),
        "x-surface": surface.name,
    }
    parameters = [*_path_parameters(route), *_query_parameters(route)]
    if parameters:
        operation["parameters"] = parameters
    if route.body is not None:
        operation["requestBody"] = {"required": True, "content": _json_content(route.body)}
    if route.public:
        operation["security"] = []
    return operation


def _operation_id(route: Route) -> str:
    words = PARAMETER.sub(r"\1", route.path).replace("-", "_").replace(".", "").strip("/").split("/")
    return "_".join((*filter(None, words), route.method.lower()))


def _path_parameters(route: Route) -> list[JsonObject]:
    return [
        {"name": found[1], "in": "path", "required": True, "schema": {"type": "string"}}
        for found in PARAMETER.finditer(route.path)
    ]


def _query_parameters(route: Route) -> list[JsonObject]:
    return [
        {"name": name, "in": "query", "required": False, "schema": {"type": kind}}
        for name, kind in route.query
    ]


def _responses(route: Route, schemas: Mapping[str, Json]) -> JsonObject:
    success: JsonObject = {"description": "Success"}
    if route.returns is not None and route.returns in schemas:
        success["content"] = _json_content(route.returns)
    failures = {} if route.public else ERRORS
    return {
        "200": success,
        **{
            status: {"description": text, "content": _json_content(ERROR_SCHEMA)}
            for status, text in failures.items()
        },
    }


def _json_content(schema: str) -> JsonObject:
    return {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}}
