"""LangChain messages told as A2A messages."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from robyn_server.resources.ids import random_id
from robyn_server.resources.types import Json, JsonObject
from robyn_server.wire.a2a.dialect import Dialect, Role
from robyn_server.wire.a2a.files import file_part

Scope: TypeAlias = Literal["context", "task"]

ROLES: Mapping[str, Role] = {"human": "user", "ai": "agent", "AIMessageChunk": "agent", "tool": "agent"}


@dataclass(frozen=True, slots=True)
class Teller:
    """Tells the conversation of one task. `tasks` says which task each start id began; `length` None tells all."""

    dialect: Dialect
    context_id: str
    task_id: str
    tasks: Mapping[str, str]
    scope: Scope = "context"
    length: int | None = None

    def history(self, values: Json) -> list[JsonObject]:
        """The messages of a thread's values, oldest first. A message without a start id belongs to the task of the
        one before it; where no task is known it is this one's."""
        told: list[JsonObject] = []
        task_id = self.task_id
        for message in messages_of(values):
            task_id = self.tasks.get(_start_id(message) or "", task_id)
            parts = parts_of(message)
            if not parts or (self.scope == "task" and task_id != self.task_id):
                continue
            told.append(
                {
                    "kind": "message",
                    "role": self.dialect.role(ROLES[message["type"]]),
                    "parts": parts,
                    "messageId": message.get("id") or random_id(),
                    "taskId": task_id,
                    "contextId": self.context_id,
                }
            )
        return told if self.length is None else told[max(0, len(told) - self.length) :]


def messages_of(values: Json) -> list[JsonObject]:
    """The messages in a graph's values that can be told; [] when it has none."""
    found = values.get("messages") if isinstance(values, dict) else None
    if not isinstance(found, list):
        return []
    return [message for message in found if isinstance(message, dict) and message.get("type") in ROLES]


def parts_of(message: JsonObject) -> list[JsonObject]:
    """The parts of a message; none for a message of the agent that has nothing to show."""
    content = message.get("content")
    if message["type"] == "tool":
        return [_tool_result(message)]
    if not isinstance(content, list):
        text = content if isinstance(content, str) else ""
        shown = bool(text) or message["type"] == "human"
        return [text_part(text)] if shown else []
    return list(_joined(content))


def text_part(text: str) -> JsonObject:
    """A part that is text."""
    return {"kind": "text", "text": text}


def data_part(data: Json) -> JsonObject:
    """A part that is JSON."""
    return {"kind": "data", "data": data}


def _joined(blocks: list[Json]) -> Iterator[JsonObject]:
    """Neighbouring texts are one part; blocks that A2A has no word for are left out."""
    text = ""
    for block in blocks:
        if isinstance(block, str):
            text += block
        elif isinstance(block, dict) and isinstance(block.get("text"), str):
            text += block["text"]
        elif isinstance(block, dict) and (part := file_part(block)) is not None:
            if text:
                yield text_part(text)
            text = ""
            yield part
    if text:
        yield text_part(text)


def _tool_result(message: JsonObject) -> JsonObject:
    result = {
        "toolCallId": message.get("tool_call_id"),
        "content": message.get("content"),
        "name": message.get("name"),
        "status": message.get("status"),
    }
    return data_part({"tool_results": [result]})


def _start_id(message: JsonObject) -> str | None:
    marks = (message.get("additional_kwargs") or {}).get("a2a")
    found = marks.get("task_start_id") if isinstance(marks, dict) else None
    return found if isinstance(found, str) else None
