"""Stream mode `messages`: the tokens of a model call, told as the message so far."""

from langchain_core.messages import AIMessageChunk, BaseMessage, BaseMessageChunk, message_chunk_to_message

from robyn_server.resources.encoding import encode
from robyn_server.resources.types import Json


class MessagesSoFar:
    """All messages of a run, by id. A message that arrives in pieces is repeated, longer, with every piece
    (`messages/partial`); one that arrives whole is told once (`messages/complete`)."""

    def __init__(self) -> None:
        self._announced: set[str] = set()
        self._growing: dict[str, _GrowingMessage] = {}

    def frames(self, message: BaseMessage, metadata: bytes) -> list[tuple[str, bytes]]:
        """The `messages/*` frames that a piece or a whole message gives; `metadata` is JSON."""
        message_id = message.id or ""
        frames: list[tuple[str, bytes]] = []
        if message_id not in self._announced:
            self._announced.add(message_id)
            frames.append(("messages/metadata", b'{%b:{"metadata":%b}}' % (encode(message_id), metadata)))
        if isinstance(message, BaseMessageChunk):
            growing = self._growing.get(message_id)
            if growing is None:
                growing = self._growing[message_id] = _GrowingMessage(message)
            else:
                growing.add(message)
            frames.append(("messages/partial", b"[%b]" % encode(growing.as_message())))
        else:
            frames.append(("messages/complete", b"[%b]" % encode(message)))
        return frames


class _GrowingMessage:
    """A message as far as it has come. Adding two chunks costs pydantic some 30 us, so a piece that is text
    and nothing else is appended to a copy of our own."""

    def __init__(self, first: BaseMessageChunk) -> None:
        self._whole = first.model_copy()

    def add(self, chunk: BaseMessageChunk) -> None:
        """Grow by one piece."""
        if _is_only_text(chunk) and _takes_text(self._whole):
            self._whole.__dict__["content"] += chunk.content
        else:
            self._whole = self._whole + chunk

    def as_message(self) -> Json:
        """The message so far in the form of a whole one, `"type": "ai"` and not `"AIMessageChunk"`."""
        fields = self._whole.__dict__
        if type(self._whole) is not AIMessageChunk or _calls_tools(fields):
            return message_chunk_to_message(self._whole)
        return {
            "content": fields["content"],
            "additional_kwargs": fields["additional_kwargs"],
            "response_metadata": fields["response_metadata"],
            "type": "ai",
            "name": fields["name"],
            "id": fields["id"],
            "tool_calls": [],
            "invalid_tool_calls": [],
            "usage_metadata": fields["usage_metadata"],
        }


def _is_only_text(chunk: BaseMessageChunk) -> bool:
    fields = chunk.__dict__
    return (
        type(chunk) is AIMessageChunk
        and type(fields["content"]) is str
        and not fields["additional_kwargs"]
        and not fields["response_metadata"]
        and fields["usage_metadata"] is None
        and fields["chunk_position"] is None
        and not _calls_tools(fields)
    )


def _takes_text(whole: BaseMessageChunk) -> bool:
    # Adding chunks properly drops the name and unknown fields: those must go that way once.
    fields = whole.__dict__
    return (
        type(whole) is AIMessageChunk
        and type(fields["content"]) is str
        and fields["name"] is None
        and not whole.__pydantic_extra__
    )


def _calls_tools(fields: dict[str, Json]) -> bool:
    return bool(fields["tool_call_chunks"] or fields["tool_calls"] or fields["invalid_tool_calls"])
