"""The thread protocol over HTTP: commands, and the stream of events. A WebSocket transport is not offered."""

from collections.abc import Awaitable, Callable, Mapping

from robyn_server.errors import DomainError, InvalidRequest, Refused, Unprocessable
from robyn_server.resources.ids import random_id
from robyn_server.resources.types import Json, JsonObject
from robyn_server.surfaces.langgraph.schemas.answers import EVENT_FRAMES
from robyn_server.web.errors import status_of
from robyn_server.web.routing import Answer, EventStream, Refusal, Reply, Request, Route, Shown
from robyn_server.wire.protocol_v2.channels import read_subscription
from robyn_server.wire.protocol_v2.commands import (
    MalformedCommand,
    ProtocolError,
    check_subscribe,
    failure,
    read_command,
    read_respond,
    read_run_start,
    subscription_id,
    success,
)

NO_RUN = "No active run is bound to this thread."


async def command(request: Request) -> Answer:
    """Do what a command says. What goes wrong with it is told inside a 200."""
    try:
        asked = read_command(_json(request))
    except MalformedCommand as error:
        return Reply.json(failure(error.id, "invalid_argument", str(error)), 400)
    verb = VERBS.get(asked.method)
    try:
        if verb is None:
            raise ProtocolError("unknown_command", f"Unknown protocol command: {asked.method}")
        result = await verb(request, asked.params)
    except ProtocolError as error:
        return Reply.json(failure(asked.id, error.code, error.message))
    except DomainError as error:
        status = error.status if isinstance(error, Refused) else status_of(type(error))
        return Reply.json(failure(asked.id, "unknown_error", f"{status}: {error.message}"))
    return Reply.json(success(asked.id, result))


async def _run_start(request: Request, params: JsonObject) -> JsonObject:
    run = await request.engine.protocol.start(request.path_params["thread_id"], read_run_start(params))
    return {"run_id": run.run_id}


async def _input_respond(request: Request, params: JsonObject) -> JsonObject:
    await request.engine.protocol.respond(request.path_params["thread_id"], read_respond(params))
    return {}


async def _subscribe(_: Request, params: JsonObject) -> JsonObject:
    """Over HTTP a subscription is a connection of its own; the answer is that of a socket without a run."""
    check_subscribe(params)
    return {"subscription_id": random_id(), "replayed_events": 0}


async def _unsubscribe(_: Request, params: JsonObject) -> JsonObject:
    raise ProtocolError("no_such_subscription", f"Unknown subscription: {subscription_id(params)}")


async def _needs_a_session(_: Request, __: JsonObject) -> JsonObject:
    raise ProtocolError("no_such_run", NO_RUN)


VERBS: Mapping[str, Callable[[Request, JsonObject], Awaitable[JsonObject]]] = {
    "run.start": _run_start,
    "input.respond": _input_respond,
    "agent.getTree": _needs_a_session,
    "subscription.subscribe": _subscribe,
    "subscription.unsubscribe": _unsubscribe,
    "subscription.reconnect": _needs_a_session,
}


async def stream_events(request: Request) -> Answer:
    """Follow all runs of a thread."""
    subscription = read_subscription(_json(request))
    return EventStream(await request.engine.protocol.events(request.path_params["thread_id"], subscription))


def _json(request: Request) -> Json:
    try:
        return request.json()
    except Unprocessable as error:
        raise InvalidRequest("Invalid JSON body") from error


EVENTS = "/threads/{thread_id}/stream/events"
TAGS = ("Threads",)
ROUTES = (
    Route("POST", "/threads/{thread_id}/commands", command, tags=TAGS, summary="Send a command of the thread protocol",
          shown_body=Shown("ProtocolCommand"), returns="ProtocolResponse",
          other_answers={400: ("Malformed command envelope", Shown("ProtocolError"))}),
    Route("POST", EVENTS, stream_events, tags=TAGS, summary="Stream the events of a thread",
          shown_body=Shown("ProtocolEventStreamRequest"), returns=EVENT_FRAMES,
          other_answers={400: ("Invalid request body", Shown("ErrorResponse"))}),
)  # fmt: skip

REFUSALS = (Refusal("GET", EVENTS, Reply.json({"detail": "Method Not Allowed"}, 405, {"allow": "POST"})),)
"""What a client gets that asks for the protocol over a WebSocket: it is spoken over HTTP only."""
