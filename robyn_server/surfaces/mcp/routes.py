"""`/mcp`: one JSON-RPC message in, one JSON answer out; no sessions, no streams."""

import orjson

from robyn_server.engine import Engine
from robyn_server.engine.run_config import API_VERSION
from robyn_server.errors import Unprocessable
from robyn_server.surfaces.mcp.tools import AssistantTools
from robyn_server.web.late_reply import whole_or_late
from robyn_server.web.routing import Answer, Reply, Request, Route, Shown
from robyn_server.wire.mcp import NOT_ACCEPTED, BadMessage, Call, accepted, answer, read_call


async def post(request: Request) -> Answer:
    """Answer a message; 202 without a body for a notification or a response."""
    try:
        call = read_call(request.json())
    except Unprocessable:
        return _bad("Invalid JSON")
    except BadMessage as error:
        return _bad(str(error))
    if not accepted(request.headers.get("accept", "")):
        return _bad(NOT_ACCEPTED)
    if call is None:
        return Reply.empty(202)
    return await whole_or_late(_answer(call, request.engine))


async def no_stream(_: Request) -> Answer:
    """There is no stream of the server's own to listen to."""
    return Reply.empty(405)


async def no_session(_: Request) -> Answer:
    """There is no session to end."""
    return Reply.empty(404)


async def _answer(call: Call, engine: Engine) -> bytes:
    return orjson.dumps(await answer(call, AssistantTools(engine), API_VERSION))


def _bad(text: str) -> Reply:
    return Reply.json({"error": text}, 400)


TAGS = ("MCP",)
ROUTES = (
    Route("POST", "/mcp/", post, tags=TAGS, summary="Model Context Protocol message",
          shown_body=Shown("McpMessage"), returns="McpAnswer",
          other_answers={202: ("Nothing to answer", None), 400: ("No message", Shown("McpRefusal"))}),
    Route("GET", "/mcp/", no_stream, tags=TAGS, summary="Not offered: 405", status=405),
    Route("DELETE", "/mcp/", no_session, tags=TAGS, summary="Not offered: 404", status=404),
)  # fmt: skip
