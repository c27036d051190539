"""Tasks as clients see them: whole, and in the updates of a stream. Times are ISO 8601 strings."""

from dataclasses import dataclass

from robyn_server.resources.ids import random_id
from robyn_server.resources.types import Json, JsonObject
from robyn_server.wire.a2a.dialect import Dialect, State
from robyn_server.wire.a2a.history import messages_of, parts_of, text_part


@dataclass(frozen=True, slots=True)
class TaskName:
    """Which task, of whom, told to whom."""

    dialect: Dialect
    task_id: str
    context_id: str
    assistant_id: str

    def document(self, status: JsonObject, history: list[JsonObject] | None) -> JsonObject:
        """The task; a history of None is left out."""
        told = {} if history is None else {"history": history}
        return {
            "kind": "task",
            "id": self.task_id,
            "contextId": self.context_id,
            **told,
            "status": status,
        }

    def status(self, state: State, at: str | None, message: JsonObject | None = None) -> JsonObject:
        """A status; `at` is left out when the moment is not known."""
        status: JsonObject = {"state": self.dialect.state(state)}
        if message is not None:
            status["message"] = message
        if at is not None:
            status["timestamp"] = at
        return status

    def says(self, parts: list[JsonObject], *, in_context: bool = True) -> JsonObject:
        """A message of the agent about the task."""
        return {
            "kind": "message",
            "role": self.dialect.role("agent"),
            "parts": parts,
            "messageId": random_id(),
            "taskId": self.task_id,
            **({"contextId": self.context_id} if in_context else {}),
        }

    def response(self, parts: list[JsonObject]) -> JsonObject:
        """The artifact of a completed task."""
        return _artifact("Assistant Response", f"Response from assistant {self.assistant_id}", parts)

    def submitted(self, message: JsonObject, at: str) -> JsonObject:
        """What opens a stream: the task with the message that the client has sent."""
        echoed = {"kind": "message", **message, "taskId": self.task_id, "contextId": self.context_id}
        return self.dialect.sent(self.document(self.status("submitted", at), [echoed]))

    def status_update(self, status: JsonObject, *, final: bool) -> JsonObject:
        """One frame of a stream; the last one is `final`."""
        return {**self._update("status-update"), "status": status, "final": final}

    def artifact_update(self, artifact: JsonObject) -> JsonObject:
        """The artifact as a frame of a stream."""
        return {**self._update("artifact-update"), "artifact": artifact}

    def _update(self, kind: str) -> JsonObject:
        return {"taskId": self.task_id, "contextId": self.context_id, "kind": kind}


def interrupt_artifact(interrupts: list[JsonObject]) -> JsonObject:
    """The artifact of a task that waits for input: one data part for each question."""
    parts = [{"kind": "data", "data": {"id": one.get("id"), "value": one.get("value")}} for one in interrupts]
    return _artifact("Interrupt", "Agent requires input to continue", parts)


def response_parts(values: Json) -> list[JsonObject]:
    """What an agent has answered: its last message, or all values (as Python writes them, which is what clients of
    the reference see) for a graph that does not talk in messages."""
    messages = messages_of(values)
    if not messages:
        return [text_part(str(values))]
    spoken = [message for message in messages if message["type"] == "ai"]
    return (parts_of(spoken[-1]) if spoken else []) or [text_part("")]


def _artifact(name: str, description: str, parts: list[JsonObject]) -> JsonObject:
    return {"artifactId": random_id(), "name": name, "description": description, "parts": parts}
