"""What of an exception a client may read."""

from langgraph.errors import (
    EmptyInputError,
    GraphBubbleUp,
    InvalidUpdateError,
    TaskNotFound,
    UnknownInterruptError,
)

from robyn_server.errors import DomainError
from robyn_server.resources.types import JsonObject

HIDDEN_MESSAGE = "An internal error occurred"

_SPEAKS_TO_CLIENTS = (
    ValueError, TypeError, KeyError, AttributeError, RuntimeError, RecursionError, TimeoutError,
    GraphBubbleUp, InvalidUpdateError, EmptyInputError, TaskNotFound, UnknownInterruptError,
    DomainError,
)  # fmt: skip
_SPEAKS_BY_NAME = frozenset({("starlette.exceptions", "HTTPException")})
"""Named and not imported: a graph may bring starlette, the server does not need it."""


def public_error(exception: BaseException) -> JsonObject:
    """`{"error": class name, "message": text}`.

    The text of exceptions that graphs raise on purpose is kept (`ValueError` and its like, LangGraph's own
    about a graph's use, HTTP errors); that of all others may tell of files, hosts or keys and is replaced. A
    group of one is taken for its member.
    """
    while isinstance(exception, BaseExceptionGroup) and len(exception.exceptions) == 1:
        exception = exception.exceptions[0]
    return {
        "error": type(exception).__name__,
        "message": str(exception) if _may_be_read(exception) else HIDDEN_MESSAGE,
    }


def _may_be_read(exception: BaseException) -> bool:
    return isinstance(exception, _SPEAKS_TO_CLIENTS) or any(
        (kind.__module__, kind.__name__) in _SPEAKS_BY_NAME for kind in type(exception).__mro__
    )
