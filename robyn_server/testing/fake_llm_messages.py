"""Anthropic's messages: a request as rules read it, a reply whole or as the events of a stream. Pure."""

import json
import uuid
from collections.abc import Iterator

from robyn_server.resources.types import Json, JsonObject
from robyn_server.testing.fake_llm_rules import Reply


def messages_of(asked: JsonObject) -> list[JsonObject]:
    """The conversation with the results of tools as messages of their own."""
    found: list[JsonObject] = []
    for message in asked["messages"]:
        content = message.get("content")
        blocks = [block for block in content if isinstance(block, dict)] if isinstance(content, list) else []
        results = [block for block in blocks if block.get("type") == "tool_result"]
        found += [{"role": "tool", "content": block.get("content")} for block in results]
        if not results:
            found.append(message)
    return found


def message(reply: Reply, asked: JsonObject) -> JsonObject:
    """The answer to a request without `stream`."""
    return {
        **_head(asked),
        "content": list(_blocks(reply)),
        "stop_reason": _reason(reply),
        "usage": _usage(reply, asked),
    }


def streamed_message(reply: Reply, asked: JsonObject) -> list[bytes]:
    """The events of an answer with `stream`."""
    return [
        f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode() for event in _events(reply, asked)
    ]


def refused_message(status: int, text: str) -> JsonObject:
    """The answer to a request that is refused."""
    kind = {429: "rate_limit_error", 401: "authentication_error", 404: "not_found_error"}
    return {"type": "error", "error": {"type": kind.get(status, "invalid_request_error"), "message": text}}


def _events(reply: Reply, asked: JsonObject) -> Iterator[JsonObject]:
    usage = _usage(reply, asked)
    opening = {**_head(asked), "content": [], "stop_reason": None, "usage": {**usage, "output_tokens": 1}}
    yield {"type": "message_start", "message": opening}
    for index, block in enumerate(_blocks(reply)):
        empty = {**block, "text": ""} if block["type"] == "text" else {**block, "input": {}}
        yield {"type": "content_block_start", "index": index, "content_block": empty}
        for delta in _deltas(block, reply):
            yield {"type": "content_block_delta", "index": index, "delta": delta}
        yield {"type": "content_block_stop", "index": index}
    ending = {"stop_reason": _reason(reply), "stop_sequence": None}
    yield {"type": "message_delta", "delta": ending, "usage": {"output_tokens": usage["output_tokens"]}}
    yield {"type": "message_stop"}


def _deltas(block: JsonObject, reply: Reply) -> list[JsonObject]:
    if block["type"] == "text":
        return [{"type": "text_delta", "text": token} for token in reply.tokens]
    whole = json.dumps(block["input"])
    middle = len(whole) // 2
    return [
        {"type": "input_json_delta", "partial_json": piece} for piece in ("", whole[:middle], whole[middle:])
    ]


def _blocks(reply: Reply) -> Iterator[JsonObject]:
    if reply.text or not reply.tool_calls:
        yield {"type": "text", "text": reply.text}
    for call in reply.tool_calls:
        name = f"toolu_{uuid.uuid4().hex[:24]}"
        yield {"type": "tool_use", "id": name, "name": call["name"], "input": call["arguments"]}


def _head(asked: JsonObject) -> JsonObject:
    return {
        "id": f"msg_{uuid.uuid4().hex[:24]}",
        "type": "message",
        "role": "assistant",
        "model": asked.get("model") or "fake",
        "stop_sequence": None,
    }


def _reason(reply: Reply) -> str:
    return "tool_use" if reply.tool_calls else "end_turn"


def _usage(reply: Reply, asked: JsonObject) -> dict[str, Json]:
    """In words, which is near enough."""
    heard = sum(len(json.dumps(message.get("content")).split()) for message in asked["messages"])
    return {"input_tokens": heard, "output_tokens": len(reply.tokens) + 5 * len(reply.tool_calls)}
