"""Messages as the thread protocol tells them: those in a state in short form, and a tool's answer as content blocks."""

from collections.abc import Sequence

import orjson

from robyn_server.resources.types import Json, JsonObject

INTERRUPT = "__interrupt__"
_TYPES = frozenset({"human", "ai", "system", "tool", "function", "chat", "remove", "developer"})
_WHEN_SAID = ("id", "name")
_WHEN_FILLED = ("response_metadata", "tool_calls")
_WHEN_THERE = ("tool_call_id", "status", "artifact")


def told_state(value: Json) -> Json:
    """A state or an update, without its interrupts; messages that stand in lists are cut down to what clients show."""
    if isinstance(value, dict):
        return {key: told_state(item) for key, item in value.items() if key != INTERRUPT}
    if isinstance(value, list):
        return [_told_message(item) if _is_message(item) else told_state(item) for item in value]
    return value


def _is_message(value: Json) -> bool:
    return (
        isinstance(value, dict)
        and value.get("type") in _TYPES
        and "content" in value
        and "response_metadata" in value
    )


def _told_message(message: JsonObject) -> JsonObject:
    told: JsonObject = {"type": message["type"], "content": message["content"]}
    told |= {key: message[key] for key in _WHEN_SAID if message.get(key) is not None}
    told |= {key: message[key] for key in _WHEN_FILLED if message.get(key)}
    told |= {key: message[key] for key in _WHEN_THERE if key in message}
    return told


def tool_answer(call_id: str, output: Json) -> Sequence[JsonObject]:
    """What a tool has answered, as the content-block events of one message."""
    whole = {"type": "text", "text": _text(output)}
    return (
        {"event": "message-start", "role": "tool", "id": f"tool-{call_id}", "tool_call_id": call_id},
        {"event": "content-block-start", "index": 0, "content": {"type": "text", "text": ""}},
        {"event": "content-block-delta", "index": 0, "content": whole},
        {"event": "content-block-finish", "index": 0, "content": whole},
        {"event": "message-finish", "metadata": {}},
    )


def _text(output: Json) -> str:
    content = output["content"] if isinstance(output, dict) and "content" in output else output
    if isinstance(content, str):
        return content
    if isinstance(content, list) and all(_block_text(one) is not None for one in content):
        return "".join(_block_text(one) or "" for one in content)
    return orjson.dumps(content).decode()


def _block_text(block: Json) -> str | None:
    if isinstance(block, str):
        return block
    text = block.get("text") if isinstance(block, dict) else None
    return text if isinstance(text, str) else None
