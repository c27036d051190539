"""What the routes answer, for the OpenAPI document; nothing is validated against these."""

from robyn_server.resources.types import JsonObject
from robyn_server.surfaces.langgraph.schemas.shapes import (
    anything,
    array,
    body,
    boolean,
    choice,
    identifier,
    integer,
    nullable,
    number,
    ref,
    string,
)
from robyn_server.surfaces.langgraph.schemas.threads import STATUSES
from robyn_server.web.routing import Shown

EVENT_FRAMES = Shown("EventFrames", "text/event-stream")
"""What streams answer."""

MOMENT: JsonObject = {"type": "string", "format": "date-time"}
SCHEMA = nullable("object")
GRAPH_SCHEMAS = {
    "input_schema": SCHEMA,
    "output_schema": SCHEMA,
    "state_schema": SCHEMA,
    "config_schema": SCHEMA,
    "context_schema": SCHEMA,
}
BYTES = body({"count": integer(), "bytes": integer()}, "count", "bytes")

ANSWERS: JsonObject = {
    "EventFrames": string("Server-sent events; comments in between keep the connection alive."),
    "RunOutput": {"description": "The values of the graph at the end, or `__error__` with what went wrong."},
    "ErrorResponse": body({"detail": string("What is wrong.")}, "detail"),
    "Count": integer("How many there are."),
    "Assistant": body(
        {
            "assistant_id": identifier(),
            "graph_id": string(),
            "config": anything(),
            "context": anything(),
            "metadata": anything(),
            "name": string(),
            "created_at": MOMENT,
            "updated_at": MOMENT,
            "version": integer(),
            "description": nullable("string"),
        }
    ),
    "Assistants": array(ref("Assistant")),
    "AssistantVersion": body(
        {
            "assistant_id": identifier(),
            "version": integer(),
            "graph_id": string(),
            "config": anything(),
            "context": anything(),
            "metadata": anything(),
            "created_at": MOMENT,
            "name": string(),
            "description": nullable("string"),
        }
    ),
    "AssistantVersions": array(ref("AssistantVersion")),
    "GraphDrawing": body({"nodes": array(anything()), "edges": array(anything())}),
    "GraphSchema": body({"graph_id": string(), **GRAPH_SCHEMAS}),
    "GraphSchemaNoId": body(GRAPH_SCHEMAS),
    "Subgraphs": {"type": "object", "additionalProperties": ref("GraphSchemaNoId")},
    "Thread": body(
        {
            "thread_id": identifier(),
            "created_at": MOMENT,
            "updated_at": MOMENT,
            "state_updated_at": MOMENT,
            "metadata": anything(),
            "status": choice(*STATUSES),
            "config": anything(),
            "values": nullable("object"),
            "error": nullable("object"),
            "interrupts": anything("Task id -> interrupts."),
            "extracted": anything("Alias -> value, when the search asked for it."),
        }
    ),
    "Threads": array(ref("Thread")),
    "ThreadPruneResponse": body({"pruned_count": integer()}, "pruned_count"),
    "ThreadStorage": body(
        {
            "thread_id": identifier(),
            "total_bytes": integer(),
            "checkpoints": BYTES,
            "channel_values": BYTES,
            "pending_writes": BYTES,
        }
    ),
    "Interrupt": body({"id": nullable("string"), "value": {}, "response_schema": anything()}, "value"),
    "ThreadState": body(
        {
            "values": {},
            "next": array(string()),
            "tasks": array(anything()),
            "metadata": nullable("object"),
            "created_at": nullable("string"),
            "checkpoint": nullable("object"),
            "parent_checkpoint": nullable("object"),
            "interrupts": array(ref("Interrupt")),
            "checkpoint_id": nullable("string"),
            "parent_checkpoint_id": nullable("string"),
        }
    ),
    "ThreadStates": array(ref("ThreadState")),
    "ThreadStateUpdateResponse": body({"checkpoint": anything()}),
    "Run": body(
        {
            "run_id": identifier(),
            "thread_id": identifier(),
            "assistant_id": identifier(),
            "metadata": anything(),
            "status": choice("pending", "running", "success", "error", "timeout", "interrupted"),
            "kwargs": anything(),
            "multitask_strategy": choice("reject", "rollback", "interrupt", "enqueue"),
            "created_at": MOMENT,
            "updated_at": MOMENT,
        }
    ),
    "Runs": array(ref("Run")),
    "Cron": body(
        {
            "cron_id": identifier(),
            "assistant_id": identifier(),
            "thread_id": nullable("string"),
            "user_id": string(),
            "end_time": nullable("string"),
            "schedule": string(),
            "timezone": nullable("string"),
            "payload": anything("What its runs are created with."),
            "next_run_date": nullable("string"),
            "metadata": anything(),
            "on_run_completed": nullable("string"),
            "enabled": boolean(),
            "created_at": MOMENT,
            "updated_at": MOMENT,
        }
    ),
    "Crons": array(ref("Cron")),
    "Item": body(
        {
            "namespace": array(string()),
            "key": string(),
            "value": anything(),
            "created_at": MOMENT,
            "updated_at": MOMENT,
        },
        "namespace",
        "key",
        "value",
        "created_at",
        "updated_at",
    ),
    "FoundItem": {"allOf": [ref("Item"), body({"score": {**number(), "type": ["number", "null"]}})]},
    "SearchItemsResponse": body({"items": array(ref("FoundItem"))}, "items"),
    "ListNamespaceResponse": body({"namespaces": array(array(string()))}, "namespaces"),
}
