"""Commands of the thread protocol: what they say, checked, and how they are answered."""

from dataclasses import dataclass, field
from typing import Literal

from robyn_server.resources.ids import canonical_id
from robyn_server.resources.types import Json, JsonObject
from robyn_server.wire.protocol_v2.channels import is_channel

ErrorCode = Literal[
    "invalid_argument", "unknown_command", "unknown_error", "no_such_run", "no_such_subscription",
    "no_such_interrupt", "permission_denied",
]  # fmt: skip

TRACER_FIELDS = frozenset({"project_name", "example_id"})
MALFORMED = "Protocol commands must include an integer id and string method."
NAMESPACE_WRONG = "input.respond requires namespace to be a list of strings."


class ProtocolError(Exception):
    """A command that cannot be done: told in an envelope, HTTP 200."""

    def __init__(self, code: ErrorCode, message: str) -> None:
        super().__init__(message)
        self.code: ErrorCode = code
        self.message = message


class MalformedCommand(Exception):
    """No command at all: HTTP 400. `id` is echoed."""

    def __init__(self, command_id: Json) -> None:
        super().__init__(MALFORMED)
        self.id = command_id


@dataclass(frozen=True, slots=True)
class Command:
    """`params` is `{}` when the client sent anything else than an object."""

    id: int
    method: str
    params: JsonObject


@dataclass(frozen=True, slots=True)
class RunStart:
    """`run.start`: `config` is the client's own, `strategy` whatever it sent."""

    assistant_id: str
    input: Json
    config: JsonObject
    metadata: JsonObject | None
    strategy: Json
    tracer: JsonObject | None


@dataclass(frozen=True, slots=True)
class Respond:
    """`input.respond`: interrupt id -> answer."""

    responses: dict[str, Json]
    update: Json = None
    goto: Json = None
    config: JsonObject = field(default_factory=dict)
    metadata: JsonObject | None = None


def read_command(body: Json) -> Command:
    """Raises `MalformedCommand`."""
    said = body if isinstance(body, dict) else {}
    command_id, method = said.get("id"), said.get("method")
    if not isinstance(command_id, int) or not isinstance(method, str):
        raise MalformedCommand(command_id)
    return Command(command_id, method, _object(said.get("params")))


def success(command_id: Json, result: JsonObject) -> JsonObject:
    """The answer to a command. Events are not numbered over HTTP, so the number is 0."""
    return {"type": "success", "id": command_id, "result": result, "meta": {"applied_through_seq": 0}}


def failure(command_id: Json, code: ErrorCode, message: str) -> JsonObject:
    """The answer to a command that cannot be done; also the last frame of an event stream that fails."""
    return {"type": "error", "id": command_id, "error": code, "message": message}


def read_run_start(params: JsonObject) -> RunStart:
    """Raises `ProtocolError`. A `config` that is no object is ignored, as on the reference."""
    assistant_id = params.get("assistant_id")
    if not isinstance(assistant_id, str) or not assistant_id:
        raise ProtocolError("invalid_argument", "run.start requires an assistant_id.")
    config = _object(params.get("config"))
    _check_checkpoint(_configurable(config))
    return RunStart(
        assistant_id,
        params.get("input"),
        config,
        _metadata(params),
        params.get("multitaskStrategy"),
        _tracer(params.get("langsmith_tracer")),
    )


def _configurable(config: JsonObject) -> JsonObject:
    configurable = config.get("configurable")
    if configurable is not None and not isinstance(configurable, dict):
        raise ProtocolError("invalid_argument", "config.configurable must be an object.")
    return configurable or {}


def _check_checkpoint(configurable: JsonObject) -> None:
    checkpoint_id = configurable.get("checkpoint_id")
    if checkpoint_id is None:
        return
    if not isinstance(checkpoint_id, str) or not checkpoint_id.strip():
        raise ProtocolError(
            "invalid_argument", "config.configurable.checkpoint_id must be a non-empty string."
        )
    if canonical_id(checkpoint_id) is None:
        raise ProtocolError(
            "invalid_argument", f"Invalid config.configurable.checkpoint_id: {checkpoint_id!r}."
        )


def _metadata(params: JsonObject) -> JsonObject | None:
    metadata = params.get("metadata")
    if metadata is not None and not isinstance(metadata, dict):
        raise ProtocolError("invalid_argument", "metadata must be an object.")
    return metadata


def _tracer(tracer: Json) -> JsonObject | None:
    if tracer is None:
        return None
    if not isinstance(tracer, dict):
        raise ProtocolError("invalid_argument", "langsmith_tracer must be an object.")
    unsupported = sorted(tracer.keys() - TRACER_FIELDS)
    if unsupported:
        raise ProtocolError("invalid_argument", f"langsmith_tracer has unsupported fields: {unsupported}.")
    for name, value in tracer.items():
        if value is not None and not isinstance(value, str):
            raise ProtocolError("invalid_argument", f"langsmith_tracer.{name} must be a string.")
    return tracer


def read_respond(params: JsonObject) -> Respond:
    """Raises `ProtocolError`."""
    if "responses" in params:
        responses = _many(params["responses"])
    else:
        _check_namespace(params)
        interrupt_id = params.get("interrupt_id")
        if not isinstance(interrupt_id, str) or not interrupt_id:
            raise ProtocolError("invalid_argument", "input.respond requires an interrupt_id.")
        responses = {interrupt_id: params.get("response")}
    config = _object(params.get("config"))
    _configurable(config)
    return Respond(responses, params.get("update"), params.get("goto"), config, _metadata(params))


def _many(entries: Json) -> dict[str, Json]:
    if not isinstance(entries, list) or not entries:
        raise ProtocolError("invalid_argument", "input.respond requires at least one response.")
    found: dict[str, Json] = {}
    for entry in entries:
        if not isinstance(entry, dict):
            raise ProtocolError("invalid_argument", "input.respond responses entries must be objects.")
        interrupt_id = entry.get("interrupt_id")
        if not isinstance(interrupt_id, str) or not interrupt_id:
            raise ProtocolError(
                "invalid_argument", "input.respond responses entries require an interrupt_id."
            )
        _check_namespace(entry)
        found[interrupt_id] = entry.get("response")
    return found


def _check_namespace(said: JsonObject) -> None:
    namespace = said.get("namespace")
    if namespace is None:
        return
    if not isinstance(namespace, list) or not all(isinstance(part, str) for part in namespace):
        raise ProtocolError("invalid_argument", NAMESPACE_WRONG)


def check_subscribe(params: JsonObject) -> None:
    """Raises `ProtocolError` for channels that cannot be subscribed to."""
    channels = params.get("channels")
    if not isinstance(channels, list) or not channels:
        raise ProtocolError("invalid_argument", "subscription.subscribe requires a non-empty channels array.")
    if not all(is_channel(name) for name in channels):
        raise ProtocolError("invalid_argument", "subscription.subscribe received an unsupported channel.")


def subscription_id(params: JsonObject) -> str:
    """The subscription that a command names. Raises `ProtocolError`."""
    named = params.get("subscription_id")
    if not isinstance(named, str) or not named:
        raise ProtocolError("invalid_argument", "subscription.unsubscribe requires a subscription_id.")
    return named


def _object(value: Json) -> JsonObject:
    return value if isinstance(value, dict) else {}
