"""Which fields of the run object a list shows."""

from robyn_server.errors import Unprocessable
from robyn_server.web.routing import Request

RUN_FIELDS = (
    "run_id", "thread_id", "assistant_id", "created_at", "updated_at", "status", "metadata", "kwargs",
    "multitask_strategy", "langsmith_session_name",
)  # fmt: skip


def select_fields(request: Request) -> frozenset[str]:
    """The fields named by repeated `select` parameters, empty for all. Raises `Unprocessable`."""
    asked = request.query.get("select", ())
    wrong = [name for name in asked if name not in RUN_FIELDS]
    if wrong:
        raise Unprocessable(f"Invalid select columns: {wrong}. Expected: {set(RUN_FIELDS)}")
    return frozenset(asked)
