"""State and history of a thread."""

from robyn_server.engine.snapshots import state_document
from robyn_server.errors import Unprocessable
from robyn_server.resources.encoding import encode
from robyn_server.resources.thread import ThreadState
from robyn_server.resources.types import Json, JsonObject
from robyn_server.surfaces.langgraph.reading import path_id, query_flag, thread_id_first
from robyn_server.web.routing import Answer, Reply, Request, Route


def _reply(value: Json) -> Reply:
    return Reply(200, encode(value))


def _states(states: list[ThreadState]) -> Reply:
    return _reply([state_document(state) for state in states])


async def get_state(request: Request) -> Answer:
    """The newest state."""
    state = await request.engine.states.get(
        path_id(request, "thread"), subgraphs=query_flag(request, "subgraphs")
    )
    return _reply(state_document(state))


async def get_state_at(request: Request) -> Answer:
    """The state at a checkpoint of the root graph."""
    checkpoint = {"checkpoint_id": request.path_params["checkpoint_id"]}
    state = await request.engine.states.get(
        path_id(request, "thread"), checkpoint, subgraphs=query_flag(request, "subgraphs")
    )
    return _reply(state_document(state))


async def get_state_at_checkpoint(request: Request) -> Answer:
    """The state at a checkpoint, of the root graph or of a subgraph."""
    body = request.json()
    state = await request.engine.states.get(
        path_id(request, "thread"), body.get("checkpoint"), subgraphs=bool(body.get("subgraphs"))
    )
    return _reply(state_document(state))


async def update_state(request: Request) -> Answer:
    """Write a checkpoint."""
    body = request.json()
    checkpoint: JsonObject = dict(body.get("checkpoint") or {})
    if body.get("checkpoint_id"):
        checkpoint["checkpoint_id"] = body["checkpoint_id"]
    written = await request.engine.states.update(
        path_id(request, "thread"), body.get("values"), body.get("as_node"), checkpoint
    )
    return _reply(
        {"checkpoint": written, "configurable": written, "checkpoint_id": written.get("checkpoint_id")}
    )


async def get_history(request: Request) -> Answer:
    """States from the newest back."""
    text = request.query_value("limit")
    try:
        limit = 1 if text is None else int(text)
    except ValueError as error:
        raise Unprocessable(f"Invalid limit {text}") from error
    states = await request.engine.states.history(
        path_id(request, "thread"), limit=limit, before=request.query_value("before")
    )
    return _states(states)


async def search_history(request: Request) -> Answer:
    """States from the newest back, filtered."""
    body = request.json()
    states = await request.engine.states.history(
        path_id(request, "thread"),
        limit=int(body.get("limit", 1)),
        before=_checkpoint_id(body.get("before")),
        metadata=body.get("metadata"),
        checkpoint=body.get("checkpoint"),
    )
    return _states(states)


def _checkpoint_id(before: Json) -> str | None:
    """`{"configurable": {"checkpoint_id"}}`, or the checkpoint itself as SDKs have it in their types."""
    if not before:
        return None
    found = before.get("configurable", before).get("checkpoint_id")
    return str(found) if found else None


TAGS = ("Threads",)
STATE = "/threads/{thread_id}/state"
HISTORY = "/threads/{thread_id}/history"
ROUTES = (
    Route("GET", STATE, get_state, tags=TAGS, summary="Get the state", returns="ThreadState",
          query=(("subgraphs", "boolean"),)),
    Route("POST", STATE, update_state, body="ThreadStateUpdate", tags=TAGS, summary="Update the state",
          returns="ThreadStateUpdateResponse", before_body=thread_id_first),
    Route("POST", f"{STATE}/checkpoint", get_state_at_checkpoint, body="ThreadStateCheckpointRequest", tags=TAGS,
          summary="Get the state at a checkpoint", returns="ThreadState", before_body=thread_id_first),
    Route("GET", f"{STATE}/{{checkpoint_id}}", get_state_at, tags=TAGS, summary="Get the state at a checkpoint",
          returns="ThreadState", query=(("subgraphs", "boolean"),)),
    Route("GET", HISTORY, get_history, tags=TAGS, summary="Get the history", returns="ThreadStates",
          query=(("limit", "integer"), ("before", "string"))),
    Route("POST", HISTORY, search_history, body="ThreadStateSearch", tags=TAGS, summary="Search the history",
          returns="ThreadStates", before_body=thread_id_first),
)  # fmt: skip
