"""Reads what a client sends: the parameters of a call, a message, its parts. All raise `RpcError`."""

from dataclasses import dataclass

from robyn_server.resources.types import Json, JsonObject
from robyn_server.wire.a2a.dialect import (
    CONTENT_TYPE_NOT_SUPPORTED,
    METHODS,
    Dialect,
    Role,
    Verb,
    read_role,
)
from robyn_server.wire.a2a.files import content_block
from robyn_server.wire.jsonrpc import (
    INVALID_PARAMS,
    INVALID_REQUEST,
    METHOD_NOT_FOUND,
    RpcError,
    shape_of,
)

PART_KINDS = ("text", "file", "data")
ONLY = "A2A agents support 'text', 'data', and 'file' parts only."
LONGEST_HISTORY = 10


@dataclass(frozen=True, slots=True)
class Call:
    """One request; `call_id` is None for a notification, which is answered all the same."""

    call_id: Json
    verb: Verb
    dialect: Dialect
    params: Json

    def parameters(self) -> JsonObject:
        """The parameters, `{}` when there are none."""
        params = {} if self.params is None else self.params
        if not isinstance(params, dict):
            raise RpcError(INVALID_PARAMS, "Invalid params: must be an object")
        return params


@dataclass(frozen=True, slots=True)
class Message:
    """A message as it came. `original` is the client's own object, `parts` may still hold nonsense."""

    message_id: str
    role: Role
    parts: list[Json]
    context_id: str | None
    task_id: str | None
    original: JsonObject


@dataclass(frozen=True, slots=True)
class Content:
    """What the parts of a message say. `messages` are LangChain's, `data` is input for the graph."""

    messages: list[JsonObject]
    texts: list[str]
    data: JsonObject

    @property
    def needs_messages(self) -> bool:
        """Whether only a graph that talks in messages can take it."""
        return bool(self.messages)

    def input(self) -> JsonObject:
        """The input of a run."""
        return {**({"messages": self.messages} if self.messages else {}), **self.data}

    def resume(self) -> Json:
        """The answer to an interrupt, None when this is none."""
        if self.data.get("resume") is not None:
            return self.data["resume"]
        return "\n".join(self.texts) if self.texts else None


def read_call(message: Json) -> Call | None:
    """The call in a body, None for a response, to which there is nothing to say."""
    if not isinstance(message, dict):
        raise RpcError(INVALID_REQUEST, "Invalid message format: expected object")
    shape = shape_of(message)
    if message.get("jsonrpc") != "2.0":
        raise RpcError(INVALID_REQUEST, "Invalid JSON-RPC message: missing or invalid jsonrpc version")
    if shape == "response":
        return None
    if shape == "nothing":
        raise RpcError(INVALID_REQUEST, "Invalid message format: must be a JSON-RPC request or notification")
    method = message["method"]
    if not isinstance(method, str):
        raise RpcError(METHOD_NOT_FOUND, "Method not found: method must be a string")
    if method not in METHODS:
        raise RpcError(METHOD_NOT_FOUND, f"Method not found: {method}")
    verb, dialect = METHODS[method]
    return Call(message.get("id"), verb, dialect, message.get("params"))


def message_object(params: JsonObject) -> JsonObject:
    """The `message` of the parameters, with what can be said of it before anything is looked up."""
    message = params.get("message")
    if not isinstance(message, dict):
        raise RpcError(INVALID_PARAMS, "Missing or invalid 'message' in params")
    if not isinstance(params.get("configuration") or {}, dict):
        raise RpcError(INVALID_PARAMS, "Invalid params: 'configuration' must be an object")
    if not isinstance(message.get("parts") or [], list):
        raise RpcError(INVALID_PARAMS, "Invalid params: 'parts' must be an array")
    return message


def read_message(message: JsonObject) -> Message:
    """The message, once `message_object` has let it pass."""
    for name in ("messageId", "role"):
        if not message.get(name):
            raise RpcError(INVALID_PARAMS, f"Missing required '{name}' in message")
    for name in ("contextId", "taskId"):
        if not isinstance(message.get(name) or "", str):
            raise RpcError(INVALID_PARAMS, f"{name} must be a string")
    parts: list[Json] = message.get("parts") or []
    if not parts:
        raise RpcError(INVALID_PARAMS, "Message must contain at least one part")
    return Message(
        str(message["messageId"]),
        read_role(message["role"]),
        parts,
        message.get("contextId") or None,
        message.get("taskId") or None,
        message,
    )


def read_content(message: Message, start_id: str) -> Content:
    """What the parts say. `start_id` is stamped into the messages: it tells later which task they belong to. Texts
    alone are one message each; with a file among them all parts are one message."""
    blocks: list[JsonObject] = []
    texts: list[str] = []
    data: JsonObject = {}
    for part in message.parts:
        kind = _kind(part)
        if kind == "text":
            texts.append(part["text"])
            blocks.append({"type": "text", "text": part["text"]})
        elif kind == "file":
            blocks.append(content_block(part["file"]))
        elif isinstance(part["data"], dict):
            data |= part["data"]
        else:
            raise RpcError(
                CONTENT_TYPE_NOT_SUPPORTED, "DataPart must contain a JSON object in the 'data' field"
            )
    if not blocks and not data:
        raise RpcError(
            CONTENT_TYPE_NOT_SUPPORTED, "Message must contain at least one valid text, data, or file part"
        )
    whole = any(block["type"] != "text" for block in blocks)
    contents: list[Json] = [blocks] if whole else list(texts)
    said: JsonObject = {
        "role": "human" if message.role == "user" else "assistant",
        "id": message.message_id,
        "additional_kwargs": {"a2a": {"task_start_id": start_id}},
    }
    messages = [{**said, "content": content} for content in contents]
    return Content(messages, [text for text in texts if isinstance(text, str)], data)


def _kind(part: Json) -> str:
    if not isinstance(part, dict):
        raise RpcError(CONTENT_TYPE_NOT_SUPPORTED, f"Each message part must be an object. {ONLY}")
    found = [kind for kind in PART_KINDS if kind in part]
    if len(found) > 1:
        raise RpcError(
            CONTENT_TYPE_NOT_SUPPORTED,
            f"Each message part must contain exactly one of 'text', 'file', or 'data'. Got multiple: {found}.",
        )
    if not found:
        raise RpcError(CONTENT_TYPE_NOT_SUPPORTED, f"Unsupported part type. {ONLY}")
    return found[0]


def read_history_length(params: JsonObject) -> int | None:
    """How many messages of history the client wants, None for all."""
    length = params.get("historyLength")
    if length is None:
        return None
    if not isinstance(length, int) or isinstance(length, bool) or length < 0:
        raise RpcError(INVALID_PARAMS, "historyLength must be a non-negative integer")
    if length > LONGEST_HISTORY:
        raise RpcError(INVALID_PARAMS, f"historyLength cannot exceed {LONGEST_HISTORY}")
    return length
