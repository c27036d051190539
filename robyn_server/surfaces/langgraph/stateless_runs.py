"""Runs without a thread of the client's: each has a thread of its own that goes with it, unless it is to be kept."""

from robyn_server.errors import Unprocessable
from robyn_server.surfaces.langgraph.reading import body_id, must_be_id
from robyn_server.surfaces.langgraph.run_reading import cancel_action
from robyn_server.surfaces.langgraph.run_replies import cancelling, wait_headers
from robyn_server.surfaces.langgraph.schemas.answers import EVENT_FRAMES
from robyn_server.surfaces.langgraph.thread_runs import document
from robyn_server.web.late_reply import whole_or_late
from robyn_server.web.routing import Answer, EventStream, Reply, Request, Route

STATUS_ALONE = (
    "When providing a 'status', 'thread_id' and 'run_ids' must be omitted. The 'status' parameter cancels all runs "
    "with the given status, regardless of thread or run ID."
)


async def create_run(request: Request) -> Answer:
    """Queue a run and answer with it."""
    run = await request.engine.runs.create_stateless(request.json())
    return Reply.json(document(request, run), headers={"content-location": f"/runs/{run.run_id}"})


async def stream_run(request: Request) -> Answer:
    """Start a run and follow it."""
    body = request.json()
    runs = request.engine.runs
    run = await runs.create_stateless(body)
    return EventStream(
        runs.stream(run),
        headers={"location": f"/runs/{run.run_id}/stream", "content-location": f"/runs/{run.run_id}"},
        on_disconnect=cancelling(runs, run, body.get("on_disconnect") == "cancel"),
    )


async def wait_run(request: Request) -> Answer:
    """Start a run and answer with how it ends."""
    body = request.json()
    runs = request.engine.runs
    run = await runs.create_stateless(body)
    cancel = cancelling(runs, run, body.get("on_disconnect") == "cancel")
    return await whole_or_late(runs.wait(run), wait_headers(run), cancel)


async def create_batch(request: Request) -> Answer:
    """Queue many runs."""
    runs = await request.engine.runs.create_batch(request.json())
    return Reply.json([document(request, run) for run in runs])


async def cancel_runs(request: Request) -> Answer:
    """Stop runs by status, or some runs of one thread."""
    body = request.json()
    if body.get("status") is not None and ("thread_id" in body or "run_ids" in body):
        raise Unprocessable(STATUS_ALONE)
    thread_id = body_id(body, "thread")
    run_ids = [must_be_id(run_id, "run") for run_id in body.get("run_ids", ())] or None
    await request.engine.runs.cancel_many(body.get("status"), thread_id, run_ids, cancel_action(request))
    return Reply.empty(204)


TAGS = ("Stateless Runs",)
ROUTES = (
    Route("POST", "/runs", create_run, body="RunCreateStateless", tags=TAGS, summary="Create a background run",
          returns="Run"),
    Route("POST", "/runs/stream", stream_run, body="RunCreateStreamingStateless", tags=TAGS,
          summary="Create a run and stream its events", returns=EVENT_FRAMES),
    Route("POST", "/runs/wait", wait_run, body="RunCreateStreamingStateless", tags=TAGS,
          summary="Create a run and wait for its end", returns="RunOutput"),
    Route("POST", "/runs/batch", create_batch, body="RunBatchCreate", tags=TAGS, summary="Create many runs",
          returns="Runs"),
    Route("POST", "/runs/cancel", cancel_runs, body="RunsCancel", tags=("Thread Runs",), summary="Cancel many runs",
          status=204, query=(("action", "string"),)),
)  # fmt: skip
