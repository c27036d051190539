"""Runs on a thread."""

import orjson

from robyn_server.engine.run_document import run_document
from robyn_server.resources.run import Run, RunSearch
from robyn_server.resources.types import JsonObject
from robyn_server.surfaces.langgraph.reading import path_id, plain_id, query_int
from robyn_server.surfaces.langgraph.run_reading import (
    cancel_action,
    flag,
    last_event_id,
    modes_asked_for,
    thread_and_run,
    thread_id_of_new_run,
)
from robyn_server.surfaces.langgraph.run_replies import (
    cancelling,
    location,
    places,
    stream_headers,
    wait_headers,
)
from robyn_server.surfaces.langgraph.run_select import select_fields
from robyn_server.surfaces.langgraph.schemas.answers import EVENT_FRAMES
from robyn_server.web.late_reply import whole_or_late
from robyn_server.web.routing import Answer, EventStream, Reply, Request, Route
from robyn_server.wire.sse import frame_of, mode_filter

MISSING = {"error": "HTTPException", "message": "404: Run not found"}


def document(request: Request, run: Run) -> JsonObject:
    """The run object."""
    return run_document(run, request.engine.parts.base_url)


async def create_run(request: Request) -> Answer:
    """Queue a run and answer with it."""
    run = await request.engine.runs.create(thread_id_of_new_run(request), request.json())
    return Reply.json(document(request, run), headers={"content-location": location(run)})


async def stream_run(request: Request) -> Answer:
    """Start a run on the thread and follow it."""
    body = request.json()
    runs = request.engine.runs
    run = await runs.create(plain_id(request.path_params["thread_id"]), body)
    return EventStream(
        runs.stream(run),
        headers=stream_headers(run),
        on_disconnect=cancelling(runs, run, body.get("on_disconnect") == "cancel"),
    )


async def wait_run(request: Request) -> Answer:
    """Start a run on the thread and answer with how it ends."""
    body = request.json()
    runs = request.engine.runs
    run = await runs.create(plain_id(request.path_params["thread_id"]), body)
    cancel = cancelling(runs, run, body.get("on_disconnect") == "cancel")
    return await whole_or_late(runs.wait(run), wait_headers(run), cancel)


async def list_runs(request: Request) -> Answer:
    """Runs of a thread, newest first."""
    query = RunSearch(
        thread_id=path_id(request, "thread"),
        limit=query_int(request, "limit", 10),
        offset=query_int(request, "offset", 0),
        status=request.query_value("status"),
    )
    fields = select_fields(request)
    runs = await request.engine.runs.search(query)
    documents = [document(request, run) for run in runs]
    return Reply.json(
        [{key: one[key] for key in one if key in fields} if fields else one for one in documents]
    )


async def get_run(request: Request) -> Answer:
    """One run."""
    return Reply.json(document(request, await request.engine.runs.get(*thread_and_run(request))))


async def delete_run(request: Request) -> Answer:
    """Delete a run and the checkpoints it wrote."""
    await request.engine.runs.delete(*thread_and_run(request))
    return Reply.empty(204)


async def cancel_run(request: Request) -> Answer:
    """Stop a run; with `wait`, answer once it has ended."""
    thread_id, run_id = thread_and_run(request)
    runs = request.engine.runs
    action = cancel_action(request)
    if not flag(request, "wait"):
        await runs.cancel(thread_id, run_id, action, wait=False)
        return Reply.empty(202)
    headers = places(thread_id, run_id, "join")
    seen = await runs.cancel(thread_id, run_id, action, wait=True)
    # What a rolled back run said meanwhile is undone with it.
    shown = seen.values if seen is not None and action == "interrupt" else None
    return Reply(200, shown or b"{}", headers=headers)


async def join_run(request: Request) -> Answer:
    """How a run ends. A run that does not exist is told inside a 200, as on the reference."""
    thread_id, run_id = thread_and_run(request)
    runs = request.engine.runs
    run = await runs.find(thread_id, run_id)
    if run is None:
        return Reply.json({"__error__": MISSING}, headers=places(thread_id, run_id, "join"))
    cancel = cancelling(runs, run, flag(request, "cancel_on_disconnect"))
    return await whole_or_late(runs.join(run), wait_headers(run), cancel)


async def join_run_stream(request: Request) -> Answer:
    """Follow a run from now on, or from an earlier event of it."""
    thread_id, run_id = thread_and_run(request)
    runs = request.engine.runs
    run = await runs.find(thread_id, run_id)
    headers = places(thread_id, run_id, "stream")
    if run is None:
        return Reply(
            200, frame_of("error", orjson.dumps(MISSING)), "text/event-stream; charset=utf-8", headers
        )
    modes = modes_asked_for(request, "stream_mode")
    keep = mode_filter(modes) if modes else None
    return EventStream(
        await runs.join_stream(run, last_event_id(request), keep),
        headers=headers,
        on_disconnect=cancelling(runs, run, flag(request, "cancel_on_disconnect")),
    )


TAGS = ("Thread Runs",)
RUN = "/threads/{thread_id}/runs/{run_id}"
ROUTES = (
    Route("POST", "/threads/{thread_id}/runs", create_run, body="RunCreateStateful", tags=TAGS,
          summary="Create a background run", returns="Run"),
    Route("GET", "/threads/{thread_id}/runs", list_runs, tags=TAGS, summary="List the runs of a thread", returns="Runs",
          query=(("limit", "integer"), ("offset", "integer"), ("status", "string"), ("select", "string"))),
    Route("POST", "/threads/{thread_id}/runs/stream", stream_run, body="RunCreateStreamingStateful", tags=TAGS,
          summary="Create a run and stream its events", returns=EVENT_FRAMES),
    Route("POST", "/threads/{thread_id}/runs/wait", wait_run, body="RunCreateStreamingStateful", tags=TAGS,
          summary="Create a run and wait for its end", returns="RunOutput"),
    Route("GET", RUN, get_run, tags=TAGS, summary="Get a run", returns="Run"),
    Route("DELETE", RUN, delete_run, tags=TAGS, summary="Delete a run", status=204),
    Route("POST", f"{RUN}/cancel", cancel_run, tags=TAGS, summary="Cancel a run", returns="RunOutput",
          other_answers={202: ("The run will stop", None)},
          query=(("wait", "boolean"), ("action", "string"))),
    Route("GET", f"{RUN}/join", join_run, tags=TAGS, summary="Wait for a run's end", returns="RunOutput",
          query=(("cancel_on_disconnect", "boolean"),)),
    Route("GET", f"{RUN}/stream", join_run_stream, tags=TAGS, summary="Join a run's stream", returns=EVENT_FRAMES,
          query=(("stream_mode", "string"), ("cancel_on_disconnect", "boolean"), ("last_event_id", "string"),
                 ("ticket", "string")),
          ticket="thread:{thread_id}"),
)  # fmt: skip
