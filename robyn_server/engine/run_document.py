"""A run as clients see it: the run routes and the webhook show the same object."""

from robyn_server.engine.run_config import platform_metadata
from robyn_server.resources.clock import iso
from robyn_server.resources.run import Run
from robyn_server.resources.types import JsonObject


def run_document(run: Run, base_url: str) -> JsonObject:
    """The run object, keys in the reference's order. A run that has been started shows in its config what the
    execution added."""
    kwargs = run.kwargs
    if run.attempt > 0:
        config = kwargs["config"]
        kwargs = {
            **kwargs,
            "config": {
                **config,
                "configurable": {**config["configurable"], "__pregel_node_finished": None},
                "metadata": {
                    **config["metadata"],
                    **platform_metadata(base_url),
                    "run_attempt": run.attempt,
                },
            },
        }
    return {
        "run_id": run.run_id,
        "thread_id": run.thread_id,
        "assistant_id": run.assistant_id,
        "metadata": run.metadata,
        "status": run.status,
        "kwargs": kwargs,
        "multitask_strategy": run.multitask_strategy,
        "created_at": iso(run.created_at),
        "updated_at": iso(run.updated_at),
        "langsmith_session_name": None,
    }
