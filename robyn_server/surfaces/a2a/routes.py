"""`/a2a/{assistant_id}`: JSON-RPC to an assistant; and where agent cards are found."""

from collections.abc import AsyncIterator

import orjson

from robyn_server.errors import Unprocessable
from robyn_server.resources.types import Json, JsonObject
from robyn_server.surfaces.a2a.agent_card import assistant_id_of, card_of
from robyn_server.surfaces.a2a.following import task_when_done, updates
from robyn_server.surfaces.a2a.reading import Reader
from robyn_server.surfaces.a2a.sending import Sent, send
from robyn_server.web.late_reply import whole_or_late
from robyn_server.web.routing import Answer, EventStream, Reply, Request, Route, Shown
from robyn_server.wire.a2a.card import HISTORY_SCOPE_HEADER
from robyn_server.wire.a2a.history import Scope
from robyn_server.wire.a2a.incoming import (
    Call,
    message_object,
    read_call,
    read_history_length,
    read_message,
)
from robyn_server.wire.jsonrpc import (
    INVALID_PARAMS,
    PARSE_ERROR,
    RpcError,
    error_reply,
    result_reply,
)
from robyn_server.wire.sse import frame_of

STREAM_TYPE = "text/event-stream"


async def post(request: Request) -> Answer:
    """Answer a call. Whatever is wrong with it is told inside a 200, but for the Accept header."""
    call_id: Json = None
    try:
        body = _body(request)
        call_id = body.get("id") if isinstance(body, dict) else None
        call = read_call(body)
        if call is None:
            return Reply.empty(202)
        refused = _not_accepted(request, call)
        if refused is not None:
            return Reply.json({"error": refused}, 400)
        if call.verb == "stream":
            return await _stream(request, call)
        return await whole_or_late(_answer(request, call))
    except RpcError as error:
        return Reply.json(error_reply(call_id, error))


async def get_card(request: Request) -> Answer:
    """The agent card of the assistant in the path."""
    return await _card(request, request.path_params["assistant_id"])


async def get_card_by_query(request: Request) -> Answer:
    """The agent card of the assistant in the query."""
    assistant_id = request.query_value("assistant_id")
    if not assistant_id:
        return _bad_card(RpcError(INVALID_PARAMS, "Missing required query parameter: assistant_id"))
    return await _card(request, assistant_id)


async def no_session(_: Request) -> Answer:
    """There is nothing to delete."""
    return Reply.empty(405)


async def _card(request: Request, text: str) -> Reply:
    try:
        assistant_id = assistant_id_of(text)
    except RpcError as error:
        return _bad_card(RpcError(error.code, f"Failed to get assistant '{text}': {error.message}"))
    try:
        return Reply.json(await card_of(request, assistant_id))
    except RpcError as error:
        return _bad_card(error)


def _bad_card(error: RpcError) -> Reply:
    return Reply.json({"error": {"code": error.code, "message": error.message}}, 400)


def _body(request: Request) -> Json:
    try:
        return request.json()
    except Unprocessable as error:
        raise RpcError(PARSE_ERROR, "Invalid JSON payload") from error


def _not_accepted(request: Request, call: Call) -> str | None:
    accept = request.headers.get("accept", "")
    if call.verb == "stream":
        if STREAM_TYPE in accept or "*/*" in accept or "text/*" in accept:
            return None
        return "Accept header must include text/event-stream for streaming"
    if "application/json" in accept or "*/*" in accept or "application/*" in accept:
        return None
    return "Accept header must include application/json"


async def _answer(request: Request, call: Call) -> bytes:
    try:
        return orjson.dumps(result_reply(call.call_id, await _result(request, call)))
    except RpcError as error:
        return orjson.dumps(error_reply(call.call_id, error))


async def _result(request: Request, call: Call) -> JsonObject:
    params = call.parameters()
    if call.verb == "send":
        return await _send(request, call, params)
    assistant_id = assistant_id_of(request.path_params["assistant_id"])
    if call.verb == "card":
        return await card_of(request, assistant_id)
    reader = Reader(request.engine, assistant_id, call.dialect, _scope(request))
    if call.verb == "get":
        return await reader.get(params)
    return await (reader.cancel(params) if call.verb == "cancel" else reader.listing(params))


async def _send(request: Request, call: Call, params: JsonObject) -> JsonObject:
    original = message_object(params)
    assistant_id = assistant_id_of(request.path_params["assistant_id"])
    length = read_history_length(params.get("configuration") or {})
    scope = _scope(request)
    sent = await send(request.engine, assistant_id, read_message(original), call.dialect, ["values"])
    return await task_when_done(request.engine, sent, scope, length)


async def _stream(request: Request, call: Call) -> Answer:
    original = message_object(call.parameters())
    try:
        assistant_id = assistant_id_of(request.path_params["assistant_id"])
        message = read_message(original)
        sent = await send(request.engine, assistant_id, message, call.dialect, ["messages", "values"])
    except RpcError as error:
        return Reply(200, _frame(error_reply(call.call_id, error)), STREAM_TYPE)
    return EventStream(_frames(request, call, sent, original), content_type=STREAM_TYPE)


async def _frames(request: Request, call: Call, sent: Sent, message: JsonObject) -> AsyncIterator[bytes]:
    async for batch in updates(request.engine, sent, message):
        yield b"".join(_frame(result_reply(call.call_id, result)) for result in batch)


def _frame(envelope: JsonObject) -> bytes:
    return frame_of("message", orjson.dumps(envelope))


def _scope(request: Request) -> Scope:
    asked = request.headers.get(HISTORY_SCOPE_HEADER.lower(), "context")
    if asked == "task":
        return "task"
    if asked == "context":
        return "context"
    raise RpcError(INVALID_PARAMS, "historyScope must be 'context' or 'task'")


TAGS = ("A2A",)
REFUSAL = Shown("A2aRefusal")
BAD_CARD = {400: ("No such agent", REFUSAL)}
AGENT = "/a2a/{assistant_id}"
ROUTES = (
    Route("POST", AGENT, post, tags=TAGS, summary="Agent2Agent message", shown_body=Shown("A2aCall"),
          returns="A2aAnswer", other_answers={202: ("Nothing to answer", None), 400: ("Not acceptable", REFUSAL)}),
    Route("GET", AGENT, get_card, tags=TAGS, summary="Agent card",
          returns="AgentCard", other_answers=BAD_CARD),
    Route("DELETE", AGENT, no_session, tags=TAGS, summary="Not offered: 405", status=405),
    Route("GET", f"{AGENT}/.well-known/agent-card.json", get_card, tags=TAGS, summary="Agent card",
          returns="AgentCard", other_answers=BAD_CARD),
    Route("GET", f"{AGENT}/.well-known/agent.json", get_card, tags=TAGS, summary="Agent card",
          returns="AgentCard", other_answers=BAD_CARD),
    Route("GET", "/.well-known/agent-card.json", get_card_by_query, tags=TAGS, summary="Agent card",
          returns="AgentCard", other_answers=BAD_CARD,
          query=(("assistant_id", "string"),)),
)  # fmt: skip
