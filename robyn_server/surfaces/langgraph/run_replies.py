"""The headers that say where a run is found."""

from robyn_server.resources.run import Run


def location(run: Run) -> str:
    """Where a run on a thread is found."""
    return f"/threads/{run.thread_id}/runs/{run.run_id}"


def places(thread_id: str, run_id: str, follow: str) -> dict[str, str]:
    """The headers that name a run and where to follow it again (`stream` or `join`)."""
    run = f"/threads/{thread_id}/runs/{run_id}"
    return {"location": f"{run}/{follow}", "content-location": run}


def stream_headers(run: Run) -> dict[str, str]:
    """Of a stream of a run on a thread."""
    return places(run.thread_id, run.run_id, "stream")


def wait_headers(run: Run) -> dict[str, str]:
    """Of a wait, join or waiting cancel."""
    return places(run.thread_id, run.run_id, "join")
