"""What answers about runs have in common: the headers that say where a run is found, and who stops it."""

from collections.abc import Awaitable, Callable

from robyn_server.engine.runs import Runs
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


def cancelling(runs: Runs, run: Run, wanted: bool) -> Callable[[], Awaitable[None]] | None:
    """What a client that goes away does to the run: stops it if that is wanted."""
    return runs.when_client_leaves(run) if wanted else None
