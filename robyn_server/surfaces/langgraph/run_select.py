"""Which fields of the run object a list shows."""

from robyn_server.errors import Unprocessable
from robyn_server.surfaces.langgraph.run_reading import listed
from robyn_server.web.routing import Request

RUN_FIELDS = (
    "run_id", "thread_id", "assistant_id", "created_at", "updated_at", "status", "metadata", "kwargs",
    "multitask_strategy", "langsmith_session_name",
)  # fmt: skip


def select_fields(request: Request) -> frozenset[str]:
    """The fields named by `select`, repeated or as a JSON array, empty for all. Raises `Unprocessable`."""
    asked = [name for value in request.query.get("select", ()) for name in listed(value)]
    wrong = [name for name in asked if name not in RUN_FIELDS]
    if wrong:
        raise Unprocessable(f"Invalid select columns: {wrong}. Expected: {set(RUN_FIELDS)}")
    return frozenset(asked)
