"""Bodies of the run routes."""

from robyn_server.resources.types import JsonObject
from robyn_server.surfaces.langgraph.schemas.shapes import (
    CONFIG,
    array,
    body,
    boolean,
    choice,
    either,
    identifier,
    metadata,
    node_names,
    number,
    ref,
    settings,
    stream_mode,
    string,
)

ANY_JSON = ["object", "array", "number", "string", "boolean", "null"]


def assistant() -> JsonObject:
    """An assistant's id or a graph's."""
    return either(identifier(), string(), description="An assistant's id, or a graph's.")


def webhook() -> JsonObject:
    """Where to call when a run ends."""
    return string(
        "Called with the run when it has ended.", maxLength=65536, minLength=1, format="uri-reference"
    )


def durability() -> JsonObject:
    """When checkpoints are written."""
    return choice("sync", "async", "exit", default="async", description="When checkpoints are written.")


def multitask_strategy() -> JsonObject:
    """What a second run does to the first."""
    return choice(
        "reject", "rollback", "interrupt", "enqueue", default="enqueue",
        description="What this run does when the thread is busy.",
    )  # fmt: skip


EVERY_RUN: JsonObject = {
    "assistant_id": assistant(),
    "input": either(
        *({"type": kind} for kind in ("object", "array", "string", "number", "boolean", "null")),
        description="What the graph gets.",
    ),
    "command": either(
        ref("Command"), {"type": "null"}, description="Instead of input: resume, update, go elsewhere."
    ),
    "metadata": metadata("run"),
    "config": CONFIG,
    "context": settings("What the graph reads as `runtime.context`."),
    "webhook": webhook(),
    "stream_mode": stream_mode(),
    "stream_subgraphs": boolean("Show what subgraphs say, too.", default=False),
    "stream_resumable": boolean("Keep the events, so that a reader may come back.", default=False),
    "feedback_keys": array(string()),
    "after_seconds": number("Wait as long before the run starts."),
    "checkpoint_during": boolean("Use `durability`.", deprecated=True, default=False),
    "durability": durability(),
}

ON_DISCONNECT = body(
    {
        "on_disconnect": choice(
            "cancel", "continue", default="continue", description="What happens when this client goes away."
        )
    }
)

RUNS: JsonObject = {
    "Send": body({"node": string(), "input": {"type": ANY_JSON}}, "node", "input"),
    "Command": body(
        {
            "update": {"type": ["object", "array", "null"], "description": "Written to the state."},
            "resume": {"type": ANY_JSON, "description": "The answer to an interrupt."},
            "goto": either(
                ref("Send"),
                array(ref("Send")),
                string(),
                array(string()),
                {"type": "null"},
                description="Where to go on.",
            ),
        }
    ),
    "RunCreateStateful": body(
        {
            **EVERY_RUN,
            "checkpoint": {"type": "object", **ref("CheckpointConfig")},
            "interrupt_before": node_names("before"),
            "interrupt_after": node_names("after"),
            "multitask_strategy": multitask_strategy(),
            "if_not_exists": choice(
                "create", "reject", default="reject", description="What to do without such a thread."
            ),
        },
        "assistant_id",
    ),
    "RunCreateStateless": body(
        {
            **EVERY_RUN,
            "on_completion": choice(
                "delete", "keep", default="delete", description="What becomes of the run's own thread."
            ),
        },
        "assistant_id",
    ),
    "RunBatchCreate": {"type": "array", "items": ref("RunCreateStateless"), "minItems": 1},
    "RunCreateStreamingStateful": {"allOf": [ref("RunCreateStateful"), ON_DISCONNECT]},
    "RunCreateStreamingStateless": {"allOf": [ref("RunCreateStateless"), ON_DISCONNECT]},
    "RunsCancel": {
        **body(
            {
                "status": choice(
                    "pending", "running", "all", description="Cancel every run with this status."
                ),
                "thread_id": identifier(),
                "run_ids": array(identifier(), "Runs of `thread_id`."),
            }
        ),
        "oneOf": [{"required": ["status"]}, {"required": ["thread_id", "run_ids"]}],
    },
}
