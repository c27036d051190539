"""What the edge decides without a server: conflicts, prefixes, origins, the OpenAPI document."""

import pytest

from robyn_server.errors import DomainError, NotFound, Refused, StartupError, TooMany
from robyn_server.web.cors import CorsPolicy
from robyn_server.web.errors import error_reply, status_of
from robyn_server.web.openapi import document
from robyn_server.web.route_table import RouteTable
from robyn_server.web.routing import Reply, Request, Route, Surface
from robyn_server.web.validation import compile_schema


async def handler(_: Request) -> Reply:
    return Reply.empty()


def surface(*routes: tuple[str, str], name: str = "one") -> Surface:
    return Surface(name, tuple(Route(method, path, handler) for method, path in routes))


@pytest.mark.parametrize(
    ("first", "second"),
    [("/a/{x}", "/a/{y}"), ("/a", "/a"), ("/a/{x}", "/a/{rest:path}"), ("/a/{x}/b", "/a/{y}/b")],
)
def test_conflicting_routes_are_refused(first: str, second: str) -> None:
    with pytest.raises(StartupError, match="Route GET .* of surface two conflicts with .* of surface one"):
        RouteTable((surface(("GET", first)), surface(("GET", second), name="two")))


def test_a_route_may_not_catch_everything() -> None:
    with pytest.raises(StartupError, match="begins with a parameter"):
        RouteTable((surface(("GET", "/{x}")),))


def test_routes_that_do_not_conflict() -> None:
    table = RouteTable(
        (surface(("GET", "/a/{x}"), ("POST", "/a/{y}"), ("GET", "/a/b"), ("GET", "/a/{z}/c")),)
    )
    assert table.allowed_methods("/a/1") == "GET, HEAD"
    assert table.allowed_methods("/a/1/") == "GET, HEAD"
    assert table.allowed_methods("/a/1/d") is None


def test_a_prefix_moves_everything_but_health_stays_at_the_root_too() -> None:
    table = RouteTable((surface(("GET", "/"), ("GET", "/ok"), ("GET", "/a/{x}")),), "/api")
    assert [place.path for place in table.places] == ["/api", "/", "/api/ok", "/ok", "/api/a/{x}"]
    assert table.allowed_methods("/a/1") is None


def test_listed_origins_only() -> None:
    policy = CorsPolicy.from_config(
        {"allow_origins": ["https://a.example"], "allow_origin_regex": r"https://.*\.b\.example"}
    )
    for origin in ("https://a.example", "https://x.b.example"):
        assert policy.headers(origin)["access-control-allow-origin"] == origin
    for stranger in ("https://c.example", None):
        assert policy.headers(stranger) == {"vary": "Origin"}
    refused = policy.preflight("https://c.example", "POST", "x-own")
    assert (refused.status, refused.body) == (400, b"Disallowed CORS origin, method, headers")
    assert policy.preflight("https://a.example", "GET", "Content-Type").status == 200


def test_credentials_name_the_origin() -> None:
    headers = CorsPolicy(allow_credentials=True).headers("https://a.example")
    assert headers["access-control-allow-origin"] == "https://a.example"
    assert headers["access-control-allow-credentials"] == "true"


def test_statuses_follow_the_nearest_ancestor() -> None:
    class RunNotFound(NotFound): ...

    assert status_of(RunNotFound) == 404
    assert status_of(TooMany) == 429
    assert status_of(DomainError) == 400
    refusal = error_reply(Refused(402, "Pay first", {"x-price": "3"}))
    assert (refusal.status, refusal.body, refusal.headers) == (
        402,
        b'{"detail":"Pay first"}',
        {"x-price": "3"},
    )


def test_a_missing_schema_is_a_start_error() -> None:
    with pytest.raises(StartupError, match="'Nope'"):
        compile_schema("Nope", {})


def test_the_openapi_document() -> None:
    route = Route(
        "POST",
        "/a/{x}/b",
        handler,
        "Body",
        summary="Makes b",
        tags=("A",),
        returns="Body",
        query=(("q", "string"),),
    )
    told = document((Surface("one", (route,), {"Body": {"type": "object"}}),), "http://h:1/api", "1.2")
    operation = told["paths"]["/a/{x}/b"]["post"]
    assert told["openapi"] == "3.1.0"
    assert told["servers"] == [{"url": "http://h:1/api"}]
    assert told["components"]["schemas"]["Body"] == {"type": "object"}
    assert [parameter["name"] for parameter in operation["parameters"]] == ["x", "q"]
    assert operation["operationId"] == "a_x_b_post"
    reference = {"$ref": "#/components/schemas/Body"}
    assert operation["requestBody"]["content"]["application/json"]["schema"] == reference
    assert operation["responses"]["200"]["content"]["application/json"]["schema"] == reference
