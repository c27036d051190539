"""What the edge makes of requests: decoding, limits, errors, methods, CORS, ids."""

import re
from collections.abc import Iterator

import pytest

from tests.http.edge import Edge, read_until, serving

PREFLIGHT = {"origin": "http://ui.example", "access-control-request-method": "POST"}


@pytest.fixture(scope="module")
def edge() -> Iterator[Edge]:
    with serving("quiet=1") as running:
        yield running


def test_path_and_query_are_decoded(edge: Edge) -> None:
    told = edge.client.get("/things/a%2Fb%7C/parts/%C3%BC%20x?x=1&x=a%2B+b&%C3%A4=&y").json()
    assert told["params"] == {"thing_id": "a/b|", "part_id": "ü x"}
    assert told["query"] == {"x": ["1", "a+ b"], "ä": [""], "y": [""]}


def test_header_names_are_lower_case_and_base_url_is_the_clients(edge: Edge) -> None:
    told = edge.client.get("/things/1", headers={"X-Name": "ann", "Host": "my.host:99"}).json()
    assert told["headers"]["x-name"] == "ann"
    assert told["caller"] == "ann"
    assert told["base_url"] == "http://my.host:99"


def test_header_values_that_cannot_be_sent_are_quoted(edge: Edge) -> None:
    assert edge.client.get("/things/1").headers["location"] == "/%C3%BCn%C3%AF"


@pytest.mark.parametrize("path", ["/nope", "/things/1/nope", "/", "/thing"])
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_unknown_path(edge: Edge, method: str, path: str) -> None:
    answer = edge.client.request(method, path)
    assert (answer.status_code, answer.json()) == (404, {"detail": "Not Found"})
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["vary"] == "Origin"


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("PUT", "/things", "POST"),
        ("GET", "/things", "POST"),
        ("PUT", "/things/1", "GET, HEAD"),
        ("POST", "/things/a%20b", "GET, HEAD"),
        ("PUT", "/things/search", "POST"),
        ("OPTIONS", "/things", "POST"),
    ],
)
def test_wrong_method_names_those_of_the_first_route(edge: Edge, method: str, path: str, allow: str) -> None:
    answer = edge.client.request(method, path)
    assert (answer.status_code, answer.json()) == (405, {"detail": "Method Not Allowed"})
    assert answer.headers["allow"] == allow


def test_wrong_method_on_a_public_route_looks_unknown(edge: Edge) -> None:
    assert edge.client.delete("/ok").status_code == 404
    assert edge.client.post("/ok").status_code == 404


def test_static_paths_win_and_parameters_catch_the_rest(edge: Edge) -> None:
    assert edge.client.get("/things/search").json()["params"] == {"thing_id": "search"}
    assert edge.client.post("/things/search").status_code == 204
    assert edge.client.get("/things/1/").status_code == 200


def test_head_answers_like_get_without_a_body(edge: Edge) -> None:
    with edge.send("HEAD /ok HTTP/1.1\r\nHost: x\r\n\r\n") as connection:
        head = read_until(connection, b"\r\n\r\n")
        connection.sendall(b"GET /ok HTTP/1.1\r\nHost: x\r\n\r\n")
        get = read_until(connection, b'{"ok":true}')
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert get.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"content-length: 11\r\n" in head
    assert b"content-type: application/json\r\n" in head
    stream = edge.client.head("/silent")
    assert stream.status_code == 200
    assert stream.headers["content-type"].startswith("text/event-stream")


def test_no_body_no_content_type(edge: Edge) -> None:
    answer = edge.client.delete("/things/1")
    assert answer.status_code == 204
    assert answer.content == b""
    assert "content-type" not in answer.headers


def test_preflight(edge: Edge) -> None:
    asked = {**PREFLIGHT, "access-control-request-headers": "content-type,x-api-key", "x-stranger": "1"}
    answer = edge.client.options("/things", headers=asked)
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "DELETE" in answer.headers["access-control-allow-methods"]
    assert answer.headers["access-control-allow-headers"] == "content-type,x-api-key"
    assert answer.headers["access-control-max-age"] == "600"
    assert answer.headers["access-control-allow-private-network"] == "true"


@pytest.mark.parametrize("path", ["/ok", "/nope", "/broken", "/conflict", "/events", "/late", "/failing"])
def test_every_answer_may_be_read_by_browsers(edge: Edge, path: str) -> None:
    with edge.client.stream("GET", path, headers={"origin": "http://ui.example"}) as answer:
        assert answer.headers["access-control-allow-origin"] == "*"
        exposed = answer.headers["access-control-expose-headers"]
        assert {"content-location", "location", "x-pagination-total"} <= set(exposed.split(", "))


def test_strangers_learn_nothing(edge: Edge) -> None:
    stranger = {"x-stranger": "1"}
    for method, path in (("GET", "/nope"), ("PUT", "/things"), ("GET", "/things/1"), ("OPTIONS", "/things")):
        answer = edge.client.request(method, path, headers=stranger)
        assert (answer.status_code, answer.json()) == (401, {"detail": "missing token"})
    assert edge.client.get("/ok", headers=stranger).status_code == 200


def test_errors_tell_their_sentence_and_nothing_of_the_inside(edge: Edge) -> None:
    assert edge.client.get("/conflict").json() == {"detail": "Thing is busy"}
    assert edge.client.get("/conflict").status_code == 409
    answer = edge.client.get("/broken")
    assert (answer.status_code, answer.json()) == (500, {"detail": "Internal Server Error"})


@pytest.mark.parametrize("body", [b"", b"{", b"NaN", b'{"graph_id":"\xff"}', b"\xef\xbb\xbf{}", b"{} x"])
def test_a_body_that_is_not_json(edge: Edge, body: bytes) -> None:
    answer = edge.client.post("/things", content=body)
    assert (answer.status_code, answer.json()) == (422, {"detail": "Invalid JSON in request body"})


def test_a_body_against_its_schema(edge: Edge) -> None:
    answer = edge.client.post("/things", content=b"{}")
    sentence = (
        '"graph_id" is a required property\n\nFailed validating "required" in schema\n\nOn instance:\n    {}'
    )
    assert (answer.status_code, answer.json()) == (422, {"detail": sentence})
    answer = edge.client.post("/things", json={"graph_id": "a", "part": {"size": "x"}})
    assert answer.json()["detail"].startswith('"x" is not of types "null", "number"\n\n')
    assert edge.client.post("/things", json={"graph_id": "a", "part": {"size": 1}}).status_code == 200


def test_bytes_of_a_body_arrive_as_sent(edge: Edge) -> None:
    body = bytes(range(256))
    assert edge.client.post("/raw", content=body).json()["body"].encode("latin-1") == body
    chunks = iter((b"one", b"two"))
    assert edge.client.post("/raw", content=chunks).json()["body"] == "onetwo"


def test_body_over_the_limit(edge: Edge) -> None:
    answer = edge.client.post("/raw", content=b"x" * 10_001)
    assert answer.status_code == 413
    assert answer.json() == {"detail": "Request body too large (limit: 10000 bytes)"}


def test_truncated_body(edge: Edge) -> None:
    with edge.send("POST /raw HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n\r\nhalf of it") as connection:
        connection.shutdown(1)
        answer = read_until(connection, b"}")
    assert b" 400 " in answer
    assert b'{"detail":"' in answer


def test_request_id_is_taken_or_made(edge: Edge) -> None:
    answer = edge.client.get("/things/1", headers={"x-request-id": "my-id.1"})
    assert answer.headers["x-request-id"] == "my-id.1"
    assert answer.json()["facts_id"] == answer.json()["request_id"] == "my-id.1"
    made = edge.client.get("/nope", headers={"x-request-id": "no blanks in ids"}).headers["x-request-id"]
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", made)
