"""Bodies of the thread protocol: commands and event streams."""

from robyn_server.surfaces.langgraph.schemas.shapes import (
    anything,
    array,
    body,
    choice,
    either,
    integer,
    ref,
    string,
)

CHANNELS = ("values", "updates", "messages", "tools", "lifecycle", "input", "tasks", "custom")

PROTOCOL = {
    "ProtocolChannel": {
        "type": "string",
        **either(choice(*CHANNELS), string(pattern="^custom:.+$")),
    },
    "ProtocolNamespace": array(string()),
    "ProtocolEventStreamRequest": body(
        {
            "channels": array(ref("ProtocolChannel"), "What to see.", minItems=1),
            "namespaces": array(ref("ProtocolNamespace"), "Whose events to see; none means all."),
            "depth": integer("How far below a namespace.", minimum=0),
            "since": integer("The last sequence number seen.", minimum=0),
        },
        "channels",
    ),
    "ProtocolCommand": body(
        {
            "id": integer("Comes back in the answer.", minimum=0),
            "method": string("What to do, e.g. `run.start`."),
            "params": anything("What the method takes."),
        },
        "id",
        "method",
    ),
}
