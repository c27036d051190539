"""What the handlers of this surface read from a request, and the texts that clients get when it cannot be read."""

from functools import partial
from typing import Any

from robyn_server.errors import InvalidRequest, Unprocessable
from robyn_server.resources.ids import canonical_id
from robyn_server.resources.page import Page
from robyn_server.resources.types import JsonObject
from robyn_server.surfaces.langgraph.schemas.shapes import LARGEST
from robyn_server.web.routing import Headers, Reply, Request

TRUE_WORDS = ("true", "True")


def must_be_id(text: object, noun: str) -> str:
    """The canonical form of an id. Raises `Unprocessable`, e.g. `Invalid thread ID: must be a UUID`."""
    found = canonical_id(text)
    if found is None:
        raise Unprocessable(f"Invalid {noun} ID: must be a UUID")
    return found


def path_id(request: Request, noun: str) -> str:
    """The id in the path, e.g. `path_id(request, "thread")` for `{thread_id}`. Raises `Unprocessable`."""
    return must_be_id(request.path_params[f"{noun}_id"], noun)


assistant_id_first = partial(path_id, noun="assistant")
thread_id_first = partial(path_id, noun="thread")
cron_id_first = partial(path_id, noun="cron")


def body_id(body: JsonObject, noun: str) -> str | None:
    """The id in a body, None when absent or empty. Raises `Unprocessable`."""
    text = body.get(f"{noun}_id")
    return must_be_id(text, noun) if text else None


def plain_id(text: str) -> str:
    """An id on the routes that answer as Python does. Raises `InvalidRequest`."""
    found = canonical_id(text)
    if found is None:
        raise InvalidRequest("badly formed hexadecimal UUID string")
    return found


def query_int(request: Request, name: str, default: int) -> int:
    """An integer in the query, no larger than the database can hold. Raises `InvalidRequest` in Python's words."""
    text = request.query_value(name)
    if text is None:
        return default
    try:
        return max(-LARGEST, min(int(text), LARGEST))
    except ValueError as error:
        raise InvalidRequest(str(error)) from error


def query_flag(request: Request, name: str) -> bool:
    """A switch in the query: only `true` and `True` are yes."""
    return request.query_value(name) in TRUE_WORDS


def json_object(request: Request) -> JsonObject:
    """The body, which its schema has shown to be an object."""
    body: JsonObject = request.json()
    return body


def descending(body: JsonObject) -> bool:
    """The direction of a search. `sort_order` alone is ignored."""
    return not (body.get("sort_by") and body.get("sort_order") == "asc")


def selected(document: JsonObject, select: list[str] | None) -> JsonObject:
    """Only the fields asked for, in their usual order; nothing asked for means all."""
    if not select:
        return document
    return {key: value for key, value in document.items() if key in select}


def paging(page: Page[Any], limit: int, offset: int) -> Headers:
    """The paging headers of a search. The total is that of the reference: one past this page while there is more."""
    if page.more:
        return {
            "x-pagination-total": str(offset + limit + 1),
            "x-pagination-next": str(offset + limit),
        }
    return {"x-pagination-total": str(offset + len(page.items))}


def bad_label(*namespaces: list[str] | None) -> Reply | None:
    """The answer to a store namespace with an empty label or one with a period: bare text, None when all are good."""
    for label in (label for namespace in namespaces for label in namespace or ()):
        if not label or "." in label:
            text = f"Namespace label '{label}' must be a non-empty string without periods"
            return Reply(422, text.encode(), None)
    return None
