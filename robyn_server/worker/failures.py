"""What a stream says of a run that failed."""

from typing import Literal

from langgraph.errors import GraphRecursionError

from robyn_server.resources.encoding import encode
from robyn_server.resources.failure import public_error
from robyn_server.resources.types import JsonObject

__all__ = ["FailureCode", "error_frame", "failure", "failure_code", "public_error"]

FailureCode = Literal["STREAM_ERROR", "AGENT_INIT_ERROR", "TIMEOUT", "RECURSION_LIMIT"]


def failure_code(exception: BaseException, *, opening: bool = False) -> FailureCode:
    """`opening`: the graph could not be made, so it never ran."""
    if opening:
        return "AGENT_INIT_ERROR"
    if isinstance(exception, GraphRecursionError):
        return "RECURSION_LIMIT"
    if isinstance(exception, TimeoutError):
        return "TIMEOUT"
    return "STREAM_ERROR"


def failure(exception: BaseException, *, opening: bool = False) -> JsonObject:
    """`{"error": class name, "message": text, "code"}`; rows and threads keep `public_error`."""
    return {**public_error(exception), "code": failure_code(exception, opening=opening)}


def error_frame(exception: BaseException, *, opening: bool = False) -> bytes:
    """The data of the `error` event that is the last frame of a failed run. The event is never namespaced."""
    return encode(failure(exception, opening=opening))
