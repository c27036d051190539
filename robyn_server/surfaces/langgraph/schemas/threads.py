"""Bodies of the thread and state routes."""

from robyn_server.surfaces.langgraph.schemas.shapes import (
    TTL,
    anything,
    array,
    body,
    boolean,
    choice,
    either,
    identifier,
    integer,
    limit,
    metadata,
    offset,
    ref,
    select,
    sort_order,
    string,
)

STATUSES = ("idle", "busy", "interrupted", "error")
FIELDS = (
    "thread_id", "created_at", "updated_at", "state_updated_at", "metadata", "config", "status", "values",
    "interrupts",
)  # fmt: skip

THREADS = {
    "ThreadCreate": body(
        {
            "thread_id": identifier("Its id; made when absent."),
            "metadata": metadata("thread"),
            "if_exists": choice(
                "raise", "do_nothing", default="raise", description="What to do when the id is taken."
            ),
            "ttl": TTL,
            "supersteps": array(
                body({"updates": array(ref("ThreadSuperstepUpdate"))}, "updates"),
                "State to start with, written step by step; needs `metadata.graph_id`.",
            ),
        }
    ),
    "ThreadPatch": body(
        {"metadata": anything("Merged into the metadata, one level deep."), "ttl": TTL},
    ),
    "ThreadPruneRequest": body(
        {
            "thread_ids": array(identifier(), "The threads to prune."),
            "strategy": choice("delete", "keep_latest", default="delete"),
        },
        "thread_ids",
    ),
    "ThreadSearchRequest": body(
        {
            "ids": array(identifier(), "Only these threads."),
            "metadata": anything("What the metadata must contain."),
            "values": anything("What the state must contain."),
            "status": choice(*STATUSES),
            "limit": limit(),
            "offset": offset(),
            "sort_by": choice("thread_id", "status", "created_at", "updated_at", "state_updated_at"),
            "sort_order": sort_order(),
            "select": select(*FIELDS),
            "extract": {
                "type": "object",
                "additionalProperties": string(),
                "maxProperties": 10,
                "description": "Alias -> path, e.g. `values.messages[-1].content`; returned as `extracted`.",
            },
        }
    ),
    "ThreadCountRequest": body(
        {
            "metadata": anything("What the metadata must contain."),
            "values": anything("What the state must contain."),
            "status": choice(*STATUSES),
        }
    ),
    "CheckpointConfig": body(
        {
            "thread_id": string(),
            "checkpoint_ns": string("Empty for the root graph."),
            "checkpoint_id": string(),
            "checkpoint_map": anything(),
        }
    ),
    "ThreadSuperstepUpdate": body(
        {
            "values": either(array({"type": "object"}), {"type": "object"}, {"type": "null"}),
            "command": either(ref("Command"), {"type": "null"}),
            "as_node": string("The node that is taken to have said this."),
        },
        "as_node",
    ),
    "ThreadStateUpdate": body(
        {
            "values": either(array({}), {"type": "object"}, {"type": "null"}, description="What to write."),
            "checkpoint": ref("CheckpointConfig"),
            "as_node": string("The node that is taken to have said this."),
        }
    ),
    "ThreadStateCheckpointRequest": body(
        {"checkpoint": ref("CheckpointConfig"), "subgraphs": boolean("Show the state of subgraphs too.")},
        "checkpoint",
    ),
    "ThreadStateSearch": body(
        {
            "limit": integer("How many states to return at most.", default=1, minimum=1, maximum=1000),
            "before": ref("CheckpointConfig"),
            "metadata": anything("What the checkpoint's metadata must equal."),
            "checkpoint": ref("CheckpointConfig"),
        }
    ),
}
