"""Bodies of the cron routes."""

from robyn_server.resources.types import JsonObject
from robyn_server.surfaces.langgraph.schemas.runs import (
    assistant,
    durability,
    multitask_strategy,
    webhook,
)
from robyn_server.surfaces.langgraph.schemas.shapes import (
    CONFIG,
    anything,
    array,
    body,
    boolean,
    choice,
    either,
    identifier,
    limit,
    metadata,
    node_names,
    nullable,
    offset,
    select,
    settings,
    sort_order,
    stream_mode,
    string,
)

SORTABLE = (
    "cron_id", "assistant_id", "thread_id", "next_run_date", "end_time", "created_at", "updated_at",
)  # fmt: skip
FIELDS = (
    "cron_id", "assistant_id", "thread_id", "on_run_completed", "end_time", "schedule", "timezone", "created_at",
    "updated_at", "user_id", "payload", "next_run_date", "metadata", "enabled",
)  # fmt: skip

CHANGEABLE: JsonObject = {
    "schedule": string("Five fields, six with seconds last, or `@daily` and its kin."),
    "timezone": string("An IANA time zone; UTC when absent."),
    "input": either(array({"type": "object"}), {"type": "object"}, description="What the graph gets."),
    "metadata": metadata("cron"),
    "config": CONFIG,
    "context": settings("What the graph reads as `runtime.context`."),
    "webhook": webhook(),
    "interrupt_before": node_names("before"),
    "interrupt_after": node_names("after"),
    "enabled": boolean("Whether it fires.", default=True),
    "stream_mode": stream_mode(),
    "stream_subgraphs": boolean(default=False),
    "stream_resumable": boolean(default=False),
    "durability": durability(),
}
COMPLETED = choice(
    "delete", "keep", default="delete", description="What becomes of the thread of each of its runs."
)
END_TIME = string("When it stops firing.", format="date-time")

CRONS: JsonObject = {
    "CronCreate": body(
        {**CHANGEABLE, "end_time": END_TIME, "assistant_id": assistant(), "on_run_completed": COMPLETED},
        "assistant_id",
        "schedule",
    ),
    "ThreadCronCreate": body(
        {
            **CHANGEABLE,
            "end_time": END_TIME,
            "assistant_id": assistant(),
            "multitask_strategy": multitask_strategy(),
        },
        "assistant_id",
        "schedule",
    ),
    "CronPatch": body(
        {
            **CHANGEABLE,
            "end_time": nullable("string", "When it stops firing.", format="date-time"),
            "on_run_completed": choice("delete", "keep"),
        }
    ),
    "CronSearch": body(
        {
            "assistant_id": identifier(),
            "thread_id": identifier(),
            "enabled": boolean(),
            "metadata": anything("What the metadata must contain."),
            "limit": limit(),
            "offset": offset(),
            "sort_by": choice(*SORTABLE, default="created_at"),
            "sort_order": sort_order(default="desc"),
            "select": select(*FIELDS),
        }
    ),
    "CronCountRequest": body(
        {
            "assistant_id": identifier(),
            "thread_id": identifier(),
            "metadata": anything("What the metadata must contain."),
        }
    ),
}
