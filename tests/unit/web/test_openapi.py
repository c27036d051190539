"""What the OpenAPI document says of the routes: every body that is read has a schema, every schema is there."""

from collections.abc import Iterator

import jsonschema_rs
import pytest

from robyn_server.app import GUESTS, surfaces
from robyn_server.auth.sealing import STREAM_TICKETS, Sealer
from robyn_server.auth.tickets import StreamTickets
from robyn_server.observability.metrics import Metrics
from robyn_server.resources.types import Json, JsonObject
from robyn_server.web.openapi import document

WITHOUT_BODY = {
    "/threads/{thread_id}/copy",
    "/threads/{thread_id}/runs/{run_id}/cancel",
}
"""Nothing is read there but the path and the query."""

BODIES: dict[str, tuple[JsonObject, ...]] = {
    "/mcp/": (
        {"jsonrpc": "2.0", "id": 1, "method": "tools/list"},
        {"jsonrpc": "2.0", "id": "a", "method": "tools/call", "params": {"name": "n", "arguments": {}}},
        {"jsonrpc": "2.0", "method": "notifications/initialized"},
    ),
    "/a2a/{assistant_id}": (
        {
            "jsonrpc": "2.0",
            "id": "1",
            "method": "message/send",
            "params": {
                "message": {
                    "role": "user",
                    "messageId": "m",
                    "parts": [{"kind": "text", "text": "hi"}, {"kind": "data", "data": {}}],
                }
            },
        },
        {"jsonrpc": "2.0", "id": "1", "method": "GetTask", "params": {"id": "t", "contextId": "c"}},
    ),
    "/threads/{thread_id}/commands": (
        {"id": 1, "method": "run.start", "params": {"assistant_id": "a", "input": {}}},
        {"id": 1, "method": "input.respond", "params": {"interrupt_id": "i", "response": 1}},
        {"id": 1, "method": "agent.getTree"},
    ),
    "/threads/{thread_id}/stream/events": (
        {"channels": ["values", "custom:x"], "namespaces": [["child"]], "depth": 1, "since": 0},
    ),
}


@pytest.fixture(scope="module")
def told() -> JsonObject:
    tickets = StreamTickets(Sealer(b"0" * 32, STREAM_TICKETS))
    return document(surfaces(Metrics(slots=1), lambda: False, tickets), "http://h:1", "1.0")


def operations(told: JsonObject) -> Iterator[tuple[str, str, JsonObject]]:
    for path, methods in told["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


def references(value: Json) -> Iterator[str]:
    for one in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from references(one)
    if isinstance(value, dict) and isinstance(value.get("$ref"), str):
        yield value["$ref"].removeprefix("#/components/schemas/")


def test_every_body_that_is_read_has_a_schema(told: JsonObject) -> None:
    bare = {
        path
        for path, method, operation in operations(told)
        if method in ("post", "put", "patch") and "requestBody" not in operation
    }
    assert bare == WITHOUT_BODY


def test_every_success_with_a_body_has_a_schema(told: JsonObject) -> None:
    bare = {
        (method, path)
        for path, method, operation in operations(told)
        if "content"
        not in operation["responses"].get("200", operation["responses"].get("201", {"content": 0}))
        and operation["x-surface"] != "system"
    }
    assert bare == set()


def test_every_schema_that_is_named_is_there(told: JsonObject) -> None:
    assert set(references(told)) <= told["components"]["schemas"].keys()


def test_surfaces_do_not_take_one_anothers_names() -> None:
    names = [name for surface in GUESTS for name in surface.schemas]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("path", BODIES)
def test_what_clients_send_fits_the_schemas(told: JsonObject, path: str) -> None:
    shown = told["paths"][path]["post"]["requestBody"]["content"]["application/json"]["schema"]
    validator = jsonschema_rs.validator_for({**shown, "components": told["components"]})
    for body in BODIES[path]:
        validator.validate(body)
    assert not validator.is_valid({"id": 1, "method": 5})
