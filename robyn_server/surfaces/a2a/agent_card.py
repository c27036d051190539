"""The assistant a call is for, and its card."""

from robyn_server.engine import Engine
from robyn_server.engine.assistants import INVALID_ID
from robyn_server.engine.run_config import API_VERSION
from robyn_server.errors import NotFound
from robyn_server.resources.assistant import Assistant
from robyn_server.resources.ids import canonical_id
from robyn_server.resources.types import Json, JsonObject
from robyn_server.web.routing import Request
from robyn_server.wire.a2a.card import agent_card
from robyn_server.wire.jsonrpc import INVALID_PARAMS, RpcError


def assistant_id_of(text: str) -> str:
    """The id in a path; a graph's id will not do. Raises `RpcError`."""
    found = canonical_id(text)
    if found is None:
        raise RpcError(INVALID_PARAMS, INVALID_ID)
    return found


async def assistant_of(engine: Engine, assistant_id: str) -> Assistant:
    """Raises `RpcError`."""
    try:
        return await engine.assistants.get(assistant_id)
    except NotFound as error:
        raise RpcError(INVALID_PARAMS, f"Assistant '{assistant_id}' not found") from error


async def input_schema_of(engine: Engine, assistant: Assistant) -> Json:
    """JSON schema of what its graph takes. Raises `NotFound` for a graph that is served no more."""
    return (await engine.assistants.schemas(assistant.assistant_id)).get("input_schema")


async def card_of(request: Request, assistant_id: str) -> JsonObject:
    """The agent card. Raises `RpcError`."""
    assistant = await assistant_of(request.engine, assistant_id)
    mount = request.path.partition("/a2a/")[0].partition("/.well-known/")[0]
    return agent_card(
        assistant_id,
        assistant.name,
        assistant.description,
        await input_schema_of(request.engine, assistant),
        f"{request.base_url}{mount}/a2a/{assistant_id}",
        API_VERSION,
    )
