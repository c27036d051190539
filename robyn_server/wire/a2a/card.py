"""The agent card of an assistant."""

from robyn_server.resources.types import Json, JsonObject

MODES = ("application/json", "text/plain")
HISTORY_SCOPE_HEADER = "LangGraph-A2A-History-Scope"
HISTORY_SCOPE: JsonObject = {
    "uri": "https://langchain.com/a2a/extensions/history-scope/v1",
    "description": "Choose task-only or full-context response history",
    "required": False,
    "params": {
        "header": HISTORY_SCOPE_HEADER,
        "values": ["context", "task"],
        "default": "context",
        "methods": ["SendMessage", "GetTask", "ListTasks"],
    },
}


def agent_card(
    assistant_id: str, name: str, description: str | None, input_schema: Json, url: str, version: str
) -> JsonObject:
    """The card; `url` is where the assistant is spoken to, `version` that of the server."""
    about = description or f"{name} assistant"
    fields = input_fields(input_schema)
    required = input_schema.get("required") if isinstance(input_schema, dict) else None
    skill: JsonObject = {
        "id": f"{assistant_id}-main",
        "name": f"{name} Capabilities",
        "description": about,
        "tags": ["assistant", "langgraph"],
        "examples": [],
        "inputModes": list(MODES),
        "outputModes": list(MODES),
        "metadata": {
            "inputSchema": {
                "required": sorted(required or ()),
                "properties": fields,
                "supportsA2A": "messages" in fields,
            }
        },
    }
    return {
        "name": name,
        "description": about,
        "url": url,
        "supportedInterfaces": [{"url": url, "protocolBinding": "JSONRPC", "protocolVersion": "1.0"}],
        "capabilities": {
            "streaming": True,
            "pushNotifications": False,
            "stateTransitionHistory": False,
            "extensions": [HISTORY_SCOPE],
        },
        "defaultInputModes": list(MODES),
        "defaultOutputModes": list(MODES),
        "skills": [skill],
        "version": version,
    }


def input_fields(input_schema: Json) -> list[str]:
    """Names of what a graph takes, sorted."""
    properties = input_schema.get("properties") if isinstance(input_schema, dict) else None
    return sorted(properties) if isinstance(properties, dict) else []
