"""A reply in the words of OpenAI's chat completions: whole, or as chunks of a stream. Pure."""

import json
import time
import uuid

from robyn_server.resources.types import Json, JsonObject
from robyn_server.testing.fake_llm_rules import Reply


def completion(reply: Reply, asked: JsonObject) -> JsonObject:
    """The answer to a request without `stream`."""
    message: JsonObject = {"role": "assistant", "content": reply.text or None, "refusal": None}
    if reply.tool_calls:
        message["tool_calls"] = [_call(call) for call in reply.tool_calls]
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": _reason(reply)}
    return {**_head("chat.completion", asked), "choices": [choice], "usage": _usage(reply, asked)}


def streamed(reply: Reply, asked: JsonObject) -> list[bytes]:
    """The chunks of an answer with `stream`: the role, the tokens, the tool calls in pieces, the reason, the usage if
    it was asked for."""
    head = _head("chat.completion.chunk", asked)
    deltas: list[JsonObject] = [{"role": "assistant", "content": "", "refusal": None}]
    deltas += [{"content": token} for token in reply.tokens]
    for index, call in enumerate(reply.tool_calls):
        whole = _call(call)
        arguments = whole["function"]["arguments"]
        opening = {**whole, "index": index, "function": {"name": call["name"], "arguments": ""}}
        deltas.append({"tool_calls": [opening]})
        middle = len(arguments) // 2
        for piece in (arguments[:middle], arguments[middle:]):
            deltas.append({"tool_calls": [{"index": index, "function": {"arguments": piece}}]})
    chunks = [{**head, "choices": [_delta(delta, None)]} for delta in deltas]
    chunks.append({**head, "choices": [_delta({}, _reason(reply))]})
    if (asked.get("stream_options") or {}).get("include_usage"):
        chunks.append({**head, "choices": [], "usage": _usage(reply, asked)})
    return [b"data: " + json.dumps(chunk).encode() + b"\n\n" for chunk in chunks]


def refused(status: int, message: str) -> JsonObject:
    """The answer to a request that is refused."""
    kind = {429: "rate_limit_error", 401: "authentication_error"}.get(status, "invalid_request_error")
    return {"error": {"message": message, "type": kind, "param": None, "code": None}}


def _head(kind: str, asked: JsonObject) -> JsonObject:
    return {
        "id": f"chatcmpl-{uuid.uuid4().hex}",
        "object": kind,
        "created": int(time.time()),
        "model": asked.get("model") or "fake",
        "system_fingerprint": None,
    }


def _delta(delta: JsonObject, reason: str | None) -> JsonObject:
    return {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}


def _call(call: JsonObject) -> JsonObject:
    arguments = json.dumps(call["arguments"])
    return {
        "id": f"call_{uuid.uuid4().hex[:24]}",
        "type": "function",
        "function": {"name": call["name"], "arguments": arguments},
    }


def _reason(reply: Reply) -> str:
    return "tool_calls" if reply.tool_calls else "stop"


def _usage(reply: Reply, asked: JsonObject) -> dict[str, Json]:
    """In words, which is near enough."""
    heard = sum(len(str(message.get("content") or "").split()) for message in asked["messages"])
    said = len(reply.tokens) + sum(len(json.dumps(call)) // 4 for call in reply.tool_calls)
    return {"prompt_tokens": heard, "completion_tokens": said, "total_tokens": heard + said}
