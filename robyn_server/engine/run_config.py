"""Assistant + thread + request + caller -> the config of a run. Only here.

What is decided at admission is stored in the run's kwargs (`admitted`); what only the execution knows (attempt,
secrets, the caller's user object) is laid over it when a worker starts it (`executed`).
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import version

from robyn_server.auth.secrets import put_back, take_secrets
from robyn_server.errors import InvalidRequest
from robyn_server.resources.assistant import Assistant
from robyn_server.resources.caller import Caller
from robyn_server.resources.header_rules import means
from robyn_server.resources.request_facts import RequestFacts
from robyn_server.resources.reserved import own_configurable, own_metadata
from robyn_server.resources.run import Run
from robyn_server.resources.types import Json, JsonObject
from robyn_server.resources.user import User
from robyn_server.settings import Settings

API_VERSION = "0.16.7"
"""The version of the reference whose API this server speaks."""

TRACE_HEADERS = ("langsmith-trace", "baggage")

BOTH_GIVEN = (
    "Cannot specify both configurable and context. Prefer setting context alone. Context was introduced in "
    "LangGraph 0.6.0 and is the long term planned replacement for configurable."
)


@dataclass(frozen=True, slots=True)
class AdmittedConfig:
    """What admission decides: `config` and `context` for kwargs, `metadata` for the run, what the thread's own config
    becomes, and the secrets that came with the assistant, the thread or a forwarded header."""

    config: JsonObject
    context: JsonObject
    metadata: JsonObject
    thread_config: JsonObject
    secrets: JsonObject


@lru_cache(maxsize=4)
def platform_metadata(base_url: str) -> Mapping[str, str]:
    """What every run's metadata says of the server it ran on."""
    return {
        "langgraph_version": version("langgraph"),
        "langgraph_api_version": API_VERSION,
        "langgraph_plan": "enterprise",
        "langgraph_host": "self-hosted",
        "langgraph_api_url": base_url,
    }


def admitted(
    body: Mapping[str, Json],
    assistant: Assistant,
    thread_metadata: JsonObject,
    thread_config: JsonObject,
    ids: Mapping[str, str],
    caller: Caller,
    facts: RequestFacts,
    header_rules: Mapping[str, Json],
    secret_names: Collection[str] = (),
) -> AdmittedConfig:
    """The config of a new run. `ids` are `run_id` and `thread_id`; `header_rules` is langgraph.json's
    `http.configurable_headers`; `secret_names` as for `take_secrets`, which the body has been through. Raises
    `InvalidRequest` when configurable and context are both given."""
    run_config: JsonObject = dict(body.get("config") or {})
    asked = own_configurable(run_config.pop("configurable", None))
    asked_context = own_configurable(body.get("context"))
    if asked and asked_context:
        raise InvalidRequest(BOTH_GIVEN)
    user = _user(caller, of_cron="cron_id" in asked)
    config_metadata = own_metadata(run_config.get("metadata"))
    config: JsonObject = {**assistant.config, **run_config}
    configurable, context = _configurable_and_context(assistant, thread_config, asked, asked_context)
    if "cron_id" in asked:
        context["langgraph_auth_user"] = user
    metadata = {
        **assistant.metadata,
        **own_metadata(thread_metadata),
        **config_metadata,
        **own_metadata(body.get("metadata")),
        "assistant_id": assistant.assistant_id,
    }
    config["configurable"] = {
        **configurable,
        **_checkpoint(body),
        **_tracing(body),
        **forwarded_headers(facts.headers, header_rules),
        **ids,
        "graph_id": assistant.graph_id,
        "assistant_id": assistant.assistant_id,
        "user_id": configurable.get("user_id", caller.identity),
        **_told_of_caller(caller, user, facts),
        "__after_seconds__": body.get("after_seconds", 0),
    }
    config["metadata"] = metadata
    kept_on_thread = _thread_config(assistant, thread_config, run_config, config_metadata)
    clean, secrets = take_secrets({"config": config, "context": context, "metadata": metadata}, secret_names)
    return AdmittedConfig(
        clean["config"],
        clean["context"],
        clean["metadata"],
        take_secrets({"config": kept_on_thread}, secret_names)[0]["config"],
        secrets,
    )


def _user(caller: Caller, *, of_cron: bool) -> JsonObject | None:
    """The user as graphs see him. A cron's is always an object, and is mirrored into the context with the rest."""
    if caller.user is None and of_cron:
        return {"identity": caller.identity, "display_name": caller.display_name, "is_authenticated": True}
    return caller.user


def _told_of_caller(caller: Caller, user: JsonObject | None, facts: RequestFacts) -> JsonObject:
    """Who asked, and when, as graphs see it."""
    told: JsonObject = {
        "langgraph_auth_user": user,
        "langgraph_auth_user_id": caller.identity,
        "langgraph_auth_permissions": list(caller.permissions),
        "langgraph_request_id": facts.request_id,
    }
    return told if facts.received_ms is None else {**told, "__request_start_time_ms__": facts.received_ms}


def _checkpoint(body: Mapping[str, Json]) -> JsonObject:
    """The checkpoint that the run shall begin at, in either spelling."""
    checkpoint = {**(body.get("checkpoint") or {})}
    if body.get("checkpoint_id"):
        checkpoint["checkpoint_id"] = body["checkpoint_id"]
    return checkpoint


def _configurable_and_context(
    assistant: Assistant, thread_config: JsonObject, asked: JsonObject, asked_context: JsonObject
) -> tuple[JsonObject, JsonObject]:
    """Each mirrors the other: a given context is shown in configurable, else configurable is the context."""
    if asked_context:
        context = {**assistant.context, **asked_context}
        return {**context, "__context_provided__": True}, context
    configurable = {
        **assistant.config.get("configurable", {}),
        **own_configurable(thread_config.get("configurable")),
        **asked,
    }
    return configurable, dict(configurable)


def _thread_config(
    assistant: Assistant, thread_config: JsonObject, run_config: JsonObject, config_metadata: JsonObject
) -> JsonObject:
    """What stays on the thread: the run's tags, recursion limit and metadata; of configurables the assistant's only."""
    kept = {**assistant.config, **thread_config, **run_config}
    if "metadata" in run_config:
        kept["metadata"] = config_metadata
    kept["configurable"] = {
        **assistant.config.get("configurable", {}),
        **thread_config.get("configurable", {}),
    }
    return kept


def _tracing(body: Mapping[str, Json]) -> JsonObject:
    tracer = body.get("langsmith_tracer")
    if not tracer:
        return {}
    return {
        "__langsmith_project__": tracer.get("project_name"),
        "__langsmith_example_id__": tracer.get("example_id"),
    }


def forwarded_headers(headers: Mapping[str, str], rules: Mapping[str, Json]) -> JsonObject:
    """The request headers that reach configurable: what the project's `includes` name, minus `excludes`; by default
    none but LangSmith's trace headers."""
    traced = "langsmith-trace" in headers
    return {
        name: value
        for name, value in headers.items()
        if (traced and name in TRACE_HEADERS) or (rules and means(rules, name))
    }


def executed(
    run: Run, secrets: Mapping[str, JsonObject], base_url: str, settings: Settings
) -> tuple[JsonObject, Json]:
    """The config and the context a worker gives to the graph: as admitted, with secrets put back and the attempt
    named. `secrets` as admission sealed them: those of the body, and `token`, the caller's own."""
    config: JsonObject = dict(run.kwargs["config"])
    configurable, context = put_back(config["configurable"], run.kwargs["context"], secrets)
    user, token = configurable.get("langgraph_auth_user"), secrets.get("token")
    if token is not None and settings.auth_mode == "supabase":
        configurable["x-supabase-access-token"] = token
    if user:
        configurable["langgraph_auth_user"] = User(user) if token is None else User(user, token=token)
    config["configurable"] = configurable
    config["metadata"] = {
        **config["metadata"],
        **platform_metadata(base_url),
        "run_attempt": run.attempt,
    }
    if settings.recursion_limit is not None and "recursion_limit" not in config:
        config["recursion_limit"] = settings.recursion_limit
    return config, context


def context_for_graph(
    config: JsonObject, context: JsonObject, properties: frozenset[str] | None
) -> tuple[JsonObject, JsonObject]:
    """Config and context as the graph may take them: where its context schema names its properties, other keys of the
    context are dropped, from the mirror in configurable too when the client gave a context."""
    if properties is None:
        return config, context
    if config["configurable"].get("__context_provided__"):
        dropped = context.keys() - properties
        configurable = {key: value for key, value in config["configurable"].items() if key not in dropped}
        config = {**config, "configurable": configurable}
    return config, {key: value for key, value in context.items() if key in properties}
