"""The one table from errors of the domain to HTTP. Nothing else decides a status, and no traceback leaves here."""

import logging
from collections.abc import Coroutine, Mapping
from typing import Any

import orjson

from robyn_server.errors import (
    Conflict,
    DomainError,
    Forbidden,
    InvalidRequest,
    NotFound,
    NotSupported,
    ProjectFailure,
    Refused,
    TooLarge,
    TooMany,
    Unauthenticated,
    Unavailable,
    Unprocessable,
)
from robyn_server.web.routing import Answer, Reply, Request

logger = logging.getLogger(__name__)

STATUS: Mapping[type[DomainError], int] = {
    InvalidRequest: 400,
    Unauthenticated: 401,
    Forbidden: 403,
    NotFound: 404,
    Conflict: 409,
    TooLarge: 413,
    Unprocessable: 422,
    ProjectFailure: 424,
    TooMany: 429,
    NotSupported: 501,
    Unavailable: 503,
}
INTERNAL = "Internal Server Error"
RETRY_SOON: Mapping[str, str] = {"retry-after": "1"}


async def answer_or_error(work: Coroutine[Any, Any, Answer], request: Request) -> Answer:
    """The answer of a handler, or the one that its error stands for: `{"detail": sentence}`."""
    try:
        return await work
    except DomainError as error:
        return error_reply(error)
    except Exception:
        logger.exception(
            "Request failed: %s %s", request.method, request.path, extra={"request_id": request.request_id}
        )
        return Reply.json({"detail": INTERNAL}, 500)


def error_reply(error: DomainError) -> Reply:
    """What a caller sees of an error."""
    if isinstance(error, Refused):
        return Reply.json({"detail": error.message}, error.status, error.headers)
    status = status_of(type(error))
    return Reply.json({"detail": error.message}, status, RETRY_SOON if status == 503 else {})


def status_of(kind: type[DomainError]) -> int:
    """The status of an error, that of the nearest listed ancestor for a subclass; 400 for none."""
    return next((STATUS[ancestor] for ancestor in kind.__mro__ if ancestor in STATUS), 400)


def last_chunk(error: BaseException, content_type: str, request_id: str) -> bytes:
    """What ends a stream whose source failed: its status is long sent, so the error goes into the body."""
    if isinstance(error, DomainError):
        name, message = type(error).__name__, error.message
    else:
        logger.error("Stream failed", exc_info=error, extra={"request_id": request_id})
        name, message = "InternalServerError", INTERNAL
    if content_type.startswith("text/event-stream"):
        return b"event: error\r\ndata: " + orjson.dumps({"error": name, "message": message}) + b"\r\n\r\n"
    return orjson.dumps({"__error__": {"error": name, "message": message}})
