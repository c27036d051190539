"""JSON-RPC 2.0 envelopes, and the one table from errors of the domain to its codes. Pure."""

from collections.abc import Mapping
from typing import Literal, TypeAlias

from robyn_server.errors import Conflict, DomainError, InvalidRequest, NotFound, Unprocessable
from robyn_server.resources.types import Json, JsonObject

PARSE_ERROR = -32700
INVALID_REQUEST = -32600
METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602

CODES: Mapping[type[DomainError], int] = {
    InvalidRequest: INVALID_PARAMS,
    Unprocessable: INVALID_PARAMS,
    NotFound: INVALID_PARAMS,
    Conflict: INVALID_PARAMS,
}
"""What is not here (who may call, too many, shutting down) concerns the HTTP request and stays an HTTP error."""

REFUSALS: tuple[type[DomainError], ...] = tuple(CODES)

Shape: TypeAlias = Literal["request", "notification", "response", "nothing"]


class RpcError(Exception):
    """An answer that is an error object; `message` is meant for the client."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def refusal(error: DomainError, prefix: str = "") -> RpcError:
    """One of `REFUSALS` as its error object."""
    return RpcError(CODES.get(type(error), INVALID_PARAMS), prefix + error.message)


def shape_of(message: JsonObject) -> Shape:
    """What an envelope is. A request has a method and an id that is not null, a notification no id at all."""
    if "method" in message:
        if "id" not in message:
            return "notification"
        if message["id"] is not None:
            return "request"
    return "response" if "result" in message or "error" in message else "nothing"


def result_reply(call_id: Json, result: Json) -> JsonObject:
    """The envelope of a result."""
    return {"jsonrpc": "2.0", "id": call_id, "result": result}


def error_reply(call_id: Json, error: RpcError) -> JsonObject:
    """The envelope of an error; `call_id` None when the request could not be read that far."""
    return {"jsonrpc": "2.0", "id": call_id, "error": {"code": error.code, "message": error.message}}
