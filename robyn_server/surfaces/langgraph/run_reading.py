"""What requests about runs say: ids, modes, places in a stream."""

import orjson

from robyn_server.errors import Unprocessable
from robyn_server.resources.event import EventId
from robyn_server.resources.ids import canonical_id
from robyn_server.resources.run_lifecycle import CancelAction
from robyn_server.surfaces.langgraph.reading import path_id
from robyn_server.web.routing import Request
from robyn_server.wire.sse import read_last_event_id

TRUE_WORDS = frozenset({"true", "yes", "1"})


def thread_id_of_new_run(request: Request) -> str:
    """The thread of `POST /threads/{thread_id}/runs`. Raises `Unprocessable`."""
    thread_id = canonical_id(request.path_params["thread_id"])
    if thread_id is None:
        raise Unprocessable("Invalid thread ID")
    return thread_id


def thread_and_run(request: Request) -> tuple[str, str]:
    """Both ids of a path. Raises `Unprocessable`."""
    return path_id(request, "thread"), path_id(request, "run")


def flag(request: Request, name: str) -> bool:
    """A query parameter that says yes."""
    return (request.query_value(name) or "").lower() in TRUE_WORDS


def cancel_action(request: Request) -> CancelAction:
    """Anything but `rollback` means interrupt."""
    return "rollback" if request.query_value("action") == "rollback" else "interrupt"


def modes_asked_for(request: Request, *names: str) -> list[str] | None:
    """Stream modes in every spelling that SDKs use: a word, a repeated parameter, a JSON array, a comma list. None
    when not given."""
    found: list[str] = []
    given = False
    for name in names:
        for value in request.query.get(name, ()):
            given = True
            found += _modes(value)
    return found if given and found else None


def _modes(value: str) -> list[str]:
    if value.startswith("["):
        return listed(value)
    return [mode.strip() for mode in value.split(",") if mode.strip()]


def listed(value: str) -> list[str]:
    """What a query parameter says: a word, or a JSON array of words (the spelling of the JavaScript SDK 2.0.0)."""
    if not value.startswith("["):
        return [value]
    try:
        return [str(word) for word in orjson.loads(value)]
    except orjson.JSONDecodeError:
        return [value]


def last_event_id(request: Request) -> EventId | None:
    """The place on a run's stream that a client comes back to; None: it says none, or none that this server ever
    gave."""
    point = read_last_event_id(request.headers.get("last-event-id") or request.query_value("last_event_id"))
    return point.after if point.kind == "after" else None
