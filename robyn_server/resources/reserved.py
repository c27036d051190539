"""Keys that belong to the server: taken out of what clients send, silently, as the reference does."""

from collections.abc import Mapping

from robyn_server.resources.types import Json, JsonObject

RESERVED_METADATA = frozenset(
    {"thread_id", "assistant_id", "run_id", "cron_id", "counters_since_delta_snapshot"}
)
RESERVED_CONFIGURABLE = frozenset(
    {
        "langgraph_auth_user",
        "langgraph_auth_user_id",
        "langgraph_auth_permissions",
        "langgraph_request_id",
        "__request_start_time_ms__",
        "__after_seconds__",
        "__otel_traceparent__",
        "__otel_tracestate__",
        "__dd_trace_headers__",
        "__pregel_node_finished",
        "__context_provided__",
        "__langsmith_project__",
        "__langsmith_example_id__",
    }
)


def own_metadata(metadata: Mapping[str, Json] | None) -> JsonObject:
    """Metadata without the server's keys, as a new dict."""
    return {key: value for key, value in (metadata or {}).items() if key not in RESERVED_METADATA}


def own_configurable(configurable: Mapping[str, Json] | None) -> JsonObject:
    """A configurable (or context) without the server's keys, as a new dict."""
    return {key: value for key, value in (configurable or {}).items() if key not in RESERVED_CONFIGURABLE}
