"""Bodies of the thread protocol, for the OpenAPI document: commands, event streams, and what answers them. The handlers
check bodies themselves, in the words of the protocol."""

from robyn_server.resources.types import JsonObject
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

METADATA = anything("Free data of the run.")
CONFIG = anything("LangChain configuration.")


def command(method: str, params: JsonObject) -> JsonObject:
    """One kind of command."""
    fields = {
        "id": integer("Comes back in the answer.", minimum=0),
        "method": choice(method),
        "params": params,
    }
    needed = ["params"] if "required" in params or "anyOf" in params else []
    return body(fields, "id", "method", *needed)


CHANNEL_LIST = array(ref("ProtocolChannel"), "What to see.", minItems=1)
NAMESPACES = array(ref("ProtocolNamespace"), "Whose events to see; none means all.")
DEPTH = integer("How far below a namespace.", minimum=0)

COMMANDS = (
    command(
        "run.start",
        body(
            {
                "assistant_id": string("An assistant's id, or a graph's."),
                "input": {"description": "What the graph gets."},
                "config": CONFIG,
                "metadata": METADATA,
                "multitaskStrategy": choice("reject", "rollback", "interrupt", "enqueue"),
            },
            "assistant_id",
        ),
    ),
    command(
        "input.respond",
        either(
            body(
                {
                    "namespace": ref("ProtocolNamespace"),
                    "interrupt_id": string(minLength=1),
                    "response": {},
                    "update": {},
                    "goto": {},
                    "config": CONFIG,
                    "metadata": METADATA,
                },
                "interrupt_id",
            ),
            body(
                {
                    "responses": array(
                        body(
                            {
                                "namespace": ref("ProtocolNamespace"),
                                "interrupt_id": string(minLength=1),
                                "response": {},
                            },
                            "interrupt_id",
                        ),
                        "Answers to several interrupts at once.",
                        minItems=1,
                    ),
                    "config": CONFIG,
                    "metadata": METADATA,
                },
                "responses",
            ),
        ),
    ),
    command("agent.getTree", anything()),
    command(
        "subscription.subscribe",
        body({"channels": CHANNEL_LIST, "namespaces": NAMESPACES, "depth": DEPTH}, "channels"),
    ),
    command("subscription.unsubscribe", body({"subscription_id": string(minLength=1)}, "subscription_id")),
    command("subscription.reconnect", anything()),
)

PROTOCOL: JsonObject = {
    "ProtocolChannel": {
        "type": "string",
        **either(choice(*CHANNELS), string(pattern="^custom:.+$")),
    },
    "ProtocolNamespace": array(string()),
    "ProtocolEventStreamRequest": body(
        {
            "channels": CHANNEL_LIST,
            "namespaces": NAMESPACES,
            "depth": DEPTH,
            "since": integer("The last sequence number seen.", minimum=0),
        },
        "channels",
    ),
    "ProtocolCommand": either(*COMMANDS, description="What to do on a thread."),
    "ProtocolSuccess": body(
        {
            "type": choice("success"),
            "id": integer(),
            "result": anything(),
            "meta": body({"applied_through_seq": integer()}),
        },
        "type",
        "id",
        "result",
    ),
    "ProtocolError": body(
        {
            "type": choice("error"),
            "id": {"description": "That of the command, null when it had none."},
            "error": string("A word for programs."),
            "message": string("What is wrong."),
        },
        "type",
        "error",
        "message",
    ),
    "ProtocolResponse": either(ref("ProtocolSuccess"), ref("ProtocolError")),
}
