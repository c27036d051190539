"""The OpenAPI document, made from the same tables that are served. Pure."""

from collections.abc import Mapping, Sequence

from robyn_server.resources.types import Json, JsonObject
from robyn_server.web.route_table import PARAMETER
from robyn_server.web.routing import Route, Shown, Surface

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


def joined(whole: JsonObject, own: Mapping[str, Json]) -> JsonObject:
    """The document with a custom application's own on top: its paths take the place of ours. As on the reference, both
    spellings of a path that ends in a slash are named then."""
    if not own:
        return whole
    components = {**whole["components"]}
    for kind, named in (own.get("components") or {}).items():
        components[kind] = {**components.get(kind, {}), **named}
    bare = {path.rstrip("/"): said for path, said in whole["paths"].items() if path.endswith("/")}
    bare.pop("", None)
    paths = {**whole["paths"], **bare, **(own.get("paths") or {})}
    return {**whole, "paths": paths, "components": components}


def secured(whole: JsonObject, section: Mapping[str, Json]) -> JsonObject:
    """The document with what `auth.openapi` of langgraph.json says: `securitySchemes`, `security`, and `paths` whose
    operations are laid over ours, key by key."""
    components = whole["components"]
    if "securitySchemes" in section:
        components = {**components, "securitySchemes": section["securitySchemes"]}
    paths: JsonObject = dict(whole["paths"])
    for path, operations in (section.get("paths") or {}).items():
        before = paths.get(path, {})
        paths[path] = {**before}
        for method, said in operations.items():
            paths[path][method] = {**before.get(method, {}), **said}
    security = {"security": section["security"]} if "security" in section else {}
    return {**whole, **security, "paths": paths, "components": components}


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
    body = _shown(route.body) or route.shown_body
    if body is not None:
        operation["requestBody"] = {"required": True, "content": _content(body)}
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
    returned = _shown(route.returns)
    if returned is not None and returned.schema in schemas:
        success["content"] = _content(returned)
    failures = {} if route.public else ERRORS
    return {
        str(route.status): success,
        **{
            status: {"description": text, "content": _content(Shown(ERROR_SCHEMA))}
            for status, text in failures.items()
        },
        **{
            str(status): {"description": text, **({"content": _content(body)} if body else {})}
            for status, (text, body) in route.other_answers.items()
        },
    }


def _shown(body: str | Shown | None) -> Shown | None:
    return Shown(body) if isinstance(body, str) else body


def _content(body: Shown) -> JsonObject:
    return {body.content_type: {"schema": {"$ref": f"#/components/schemas/{body.schema}"}}}
