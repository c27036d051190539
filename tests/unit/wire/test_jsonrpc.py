"""Envelopes and what errors of the domain become."""

import pytest

from robyn_server.errors import Conflict, Forbidden, NotFound
from robyn_server.wire.jsonrpc import REFUSALS, RpcError, error_reply, refusal, result_reply, shape_of


@pytest.mark.parametrize(
    ("message", "shape"),
    [
        ({"method": "ping", "id": 0}, "request"),
        ({"method": "ping", "id": "a", "result": {}}, "request"),
        ({"method": "ping"}, "notification"),
        ({"method": "ping", "id": None}, "nothing"),
        ({"id": 1, "result": None}, "response"),
        ({"id": 1, "error": {}}, "response"),
        ({"id": 1}, "nothing"),
    ],
)
def test_shapes(message: dict[str, object], shape: str) -> None:
    assert shape_of(message) == shape


def test_envelopes() -> None:
    assert result_reply(0, []) == {"jsonrpc": "2.0", "id": 0, "result": []}
    error = {"code": -32601, "message": "no"}
    assert error_reply(None, RpcError(-32601, "no")) == {"jsonrpc": "2.0", "id": None, "error": error}


def test_what_concerns_the_request_itself_stays_an_http_error() -> None:
    assert (refusal(NotFound("x"), "Failed: ").code, refusal(Conflict()).message) == (-32602, "Conflict")
    assert refusal(NotFound("x"), "Failed: ").message == "Failed: x"
    assert Forbidden not in REFUSALS
