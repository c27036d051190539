"""Calls of the Agent2Agent protocol, for the OpenAPI document; `wire/a2a/` checks them."""

from collections.abc import Mapping, Sequence
from typing import get_args

from robyn_server.resources.types import Json, JsonObject
from robyn_server.wire.a2a.dialect import METHODS, State, Verb
from robyn_server.wire.a2a.incoming import LONGEST_HISTORY

TEXT: JsonObject = {"type": "string"}
HISTORY_LENGTH: JsonObject = {"type": "integer", "minimum": 0, "maximum": LONGEST_HISTORY}


def fields(properties: JsonObject, required: Sequence[str] = ()) -> JsonObject:
    """An object with known keys."""
    return {"type": "object", "properties": properties, "required": list(required)}


FILE: JsonObject = {
    "anyOf": [
        fields({"bytes": {**TEXT, "contentEncoding": "base64"}, "mimeType": TEXT, "name": TEXT}, ("bytes",)),
        fields({"uri": {**TEXT, "format": "uri"}, "mimeType": TEXT, "name": TEXT}, ("uri",)),
    ]
}
PART: JsonObject = {
    "anyOf": [
        fields({"kind": {"enum": ["text"]}, "text": TEXT}, ("text",)),
        fields(
            {
                "kind": {"enum": ["data"]},
                "data": {"type": "object", "description": "Merged into the input of the graph."},
            },
            ("data",),
        ),
        fields({"kind": {"enum": ["file"]}, "file": FILE}, ("file",)),
    ]
}
MESSAGE: JsonObject = fields(
    {
        "role": {"type": "string", "enum": ["user", "agent", "ROLE_USER", "ROLE_AGENT"]},
        "parts": {"type": "array", "items": PART, "minItems": 1},
        "messageId": {**TEXT, "minLength": 1},
        "contextId": {**TEXT, "description": "The thread; a new one when absent."},
        "taskId": {**TEXT, "description": "The task that waits for this message."},
    },
    ("role", "parts", "messageId"),
)
SENT: JsonObject = fields(
    {"message": MESSAGE, "configuration": fields({"historyLength": HISTORY_LENGTH})}, ("message",)
)
NAMED: JsonObject = fields({"id": TEXT, "contextId": TEXT, "historyLength": HISTORY_LENGTH}, ("id",))
LISTED: JsonObject = fields(
    {
        "contextId": TEXT,
        "status": {"type": "string", "enum": [*get_args(State)]},
        "statusTimestampAfter": {**TEXT, "format": "date-time"},
        "pageSize": {"type": "integer", "minimum": 1, "maximum": 100},
        "pageToken": TEXT,
        "historyLength": HISTORY_LENGTH,
        "includeArtifacts": {"type": "boolean"},
    }
)
PARAMS: Mapping[Verb, JsonObject] = {
    "send": SENT,
    "stream": SENT,
    "get": NAMED,
    "cancel": NAMED,
    "list": LISTED,
    "card": {"type": "object"},
}


def call(verb: Verb) -> JsonObject:
    """The envelope of one verb, in either spelling of its method."""
    methods = [method for method, (meant, _) in METHODS.items() if meant == verb]
    return fields(
        {
            "jsonrpc": {"type": "string", "enum": ["2.0"]},
            "id": {"type": ["string", "integer"], "description": "Comes back in the answer."},
            "method": {"type": "string", "enum": methods},
            "params": PARAMS[verb],
        },
        ("jsonrpc", "id", "method", "params"),
    )


SCHEMAS: Mapping[str, Json] = {
    "A2aCall": {"description": "A JSON-RPC 2.0 request.", "anyOf": [call(verb) for verb in PARAMS]},
    "A2aAnswer": fields(
        {
            "jsonrpc": {"type": "string", "enum": ["2.0"]},
            "id": {"type": ["string", "integer", "null"]},
            "result": {"type": "object"},
            "error": fields({"code": {"type": "integer"}, "message": TEXT}, ("code", "message")),
        },
        ("jsonrpc", "id"),
    ),
    "A2aRefusal": fields({"error": {"description": "What is wrong."}}, ("error",)),
    "AgentCard": {"type": "object", "description": "What the assistant is and can do."},
}
