"""All that happens on a thread, for as long as the client listens."""

from robyn_server.engine.thread_stream import THREAD_STREAM_MODES
from robyn_server.errors import Unprocessable
from robyn_server.resources.event import EventId
from robyn_server.surfaces.langgraph.reading import path_id
from robyn_server.surfaces.langgraph.run_reading import modes_asked_for
from robyn_server.surfaces.langgraph.schemas.answers import EVENT_FRAMES
from robyn_server.web.routing import Answer, EventStream, Request, Route
from robyn_server.wire.sse import read_last_event_id


async def stream_thread(request: Request) -> Answer:
    """Follow every run of a thread."""
    modes = modes_asked_for(request, "stream_modes", "stream_mode") or ["run_modes"]
    wrong = [mode for mode in modes if mode not in THREAD_STREAM_MODES]
    if wrong:
        raise Unprocessable(f"Invalid stream mode: {wrong[0]}")
    chunks = await request.engine.runs.stream_thread(path_id(request, "thread"), _after(request), modes)
    return EventStream(chunks)


def _after(request: Request) -> EventId | None:
    text = request.headers.get("last-event-id") or request.query_value("last_event_id")
    point = read_last_event_id(text)
    if point.kind == "garbage":
        raise Unprocessable("Invalid last-event-id: must be a valid Redis stream ID")
    return point.after if point.kind == "after" else None


ROUTES = (
    Route("GET", "/threads/{thread_id}/stream", stream_thread, tags=("Threads",), summary="Stream a thread",
          returns=EVENT_FRAMES, query=(("stream_modes", "string"), ("last_event_id", "string"), ("ticket", "string")),
          ticket="thread:{thread_id}"),
)  # fmt: skip
