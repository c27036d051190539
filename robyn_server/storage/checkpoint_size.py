"""How many bytes a thread's checkpoints take, and for which channels."""

from collections.abc import Iterable

from langgraph.checkpoint.serde.base import SerializerProtocol

from robyn_server.resources.types import JsonObject


class ThreadSize:
    """Adds up checkpoints, batch by batch. It decodes each one, so it belongs on a thread of its own."""

    def __init__(self, thread_id: str, serializer: SerializerProtocol) -> None:
        self._thread_id = thread_id
        self._serializer = serializer
        self._checkpoints = 0
        self._stored = 0
        self._values: dict[str, int] = {}
        self._versions: dict[str, set[tuple[str, object]]] = {}

    def add(self, rows: Iterable[tuple[str, str, str, bytes, int]]) -> None:
        """Rows of (namespace, checkpoint id, type, checkpoint, bytes of metadata)."""
        for ns, _, kind, blob, metadata_bytes in rows:
            checkpoint = self._serializer.loads_typed((kind, blob))
            self._checkpoints += 1
            self._stored += len(blob) + (metadata_bytes or 0)
            for channel, value in checkpoint["channel_values"].items():
                length = len(self._serializer.dumps_typed(value)[1])
                self._values[channel] = self._values.get(channel, 0) + length
                version = checkpoint["channel_versions"].get(channel)
                self._versions.setdefault(channel, set()).add((ns, version))

    def report(self, writes: int, write_bytes: int) -> JsonObject:
        """The answer of `Checkpoints.storage`."""
        values = sum(self._values.values())
        return {
            "thread_id": self._thread_id,
            "total_bytes": self._stored + write_bytes,
            "checkpoints": {"count": self._checkpoints, "bytes": max(self._stored - values, 0)},
            "channel_values": {
                "count": sum(map(len, self._versions.values())),
                "bytes": values,
                "by_channel": {
                    channel: {"bytes": length, "versions": len(self._versions[channel])}
                    for channel, length in sorted(self._values.items())
                },
            },
            "pending_writes": {"count": writes, "bytes": write_bytes},
        }
