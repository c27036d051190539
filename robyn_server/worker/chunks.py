"""What a graph streams -> the events of a run. No I/O, no clock.

mapper = ChunkMapper(modes, subgraphs=True)
async for chunk in mapper.open(graph, input, config, context=context, durability="async"):
    log.append(thread_id, run_id, attempt, resumable, mapper.events_from(chunk))
mapper.last_values
"""

from collections.abc import AsyncIterator, Collection, Sequence
from typing import Any, TypeAlias

import orjson
from langchain_core.messages import BaseMessage
from langchain_core.runnables import RunnableConfig
from langgraph.pregel import Pregel
from langgraph.types import StreamMode as GraphMode

from robyn_server.resources.encoding import EncodedOnce, encode
from robyn_server.resources.run import StreamMode
from robyn_server.resources.types import Json, JsonObject
from robyn_server.worker.checkpoint_chunks import told_checkpoint, told_debug
from robyn_server.worker.event_chunks import settled
from robyn_server.worker.message_chunks import MessagesSoFar

Frame: TypeAlias = tuple[str, bytes]
"""The SSE event name and its JSON."""

_INTERRUPT = "__interrupt__"
_GRAPH_MODE: dict[StreamMode, GraphMode] = {
    "values": "values", "updates": "updates", "messages": "messages", "messages-tuple": "messages",
    "custom": "custom", "tasks": "tasks", "checkpoints": "checkpoints", "debug": "debug",
}  # fmt: skip


class ChunkMapper:
    """One attempt of one run: remembers which messages have been told and how far they had come.

    The order of `modes` does not matter. `secret_names` are left out of each `configurable` that
    `checkpoints` and `debug` events show, besides the names that are always secret.
    """

    def __init__(
        self,
        modes: Collection[StreamMode],
        *,
        subgraphs: bool = False,
        secret_names: Collection[str] = (),
    ) -> None:
        self.uses_events = "events" in modes
        """Whether the graph is run through `astream_events` (version 2)."""
        self.graph_subgraphs = subgraphs
        self.graph_modes: list[GraphMode] = _graph_modes(modes)
        """What LangGraph is asked for: `values` too when nobody asked, for the run's result."""
        self._asked = frozenset(modes)
        self._tuples = "messages-tuple" in modes
        self._secret_names = secret_names
        self._values: Json = None
        self._has_values = False
        self._metadata = EncodedOnce()
        self._messages = MessagesSoFar()

    def open(
        self, graph: Pregel[Any, Any, Any, Any], input: Json, config: RunnableConfig, **options: Any
    ) -> AsyncIterator[Any]:
        """Start the graph; each chunk goes through `events_from`.

        `options` go to `Pregel.astream`: `context`, `interrupt_before`, `interrupt_after`, `durability`
        (leave it out without a checkpointer: LangGraph warns). `config["run_id"]` should be the run's, as a
        UUID: it becomes the root `run_id` of mode `events`. Close the iterator to stop the graph.
        """
        options |= {"stream_mode": self.graph_modes, "subgraphs": self.graph_subgraphs}
        if self.uses_events:
            return settled(graph.astream_events(input, config, version="v2", **options))
        return graph.astream(input, config, **options)

    @property
    def last_values(self) -> bytes | None:
        """JSON of the newest state of the root graph, without interrupts, within its output schema. None
        until there is one, or when it cannot be said in JSON."""
        if not self._has_values:
            return None
        try:
            return encode(self._values)
        except TypeError:
            return None

    def events_from(self, chunk: Any) -> Sequence[Frame]:
        """The frames of one chunk, in order; often none or one.

        Raises:
            TypeError: what the graph produced cannot be said in JSON; the run fails with it.
        """
        if not self.uses_events:
            return self._mode_frames(chunk)
        if chunk["event"] == "on_chain_stream" and not chunk["parent_ids"]:
            return self._mode_frames(chunk["data"]["chunk"])
        return [("events", self._event_data(chunk))]

    def _mode_frames(self, chunk: Any) -> Sequence[Frame]:
        if self.graph_subgraphs:
            namespace, mode, data = chunk
        else:
            namespace, (mode, data) = (), chunk
        if mode == "messages":
            return self._message_frames(namespace, *data)
        if mode == "values" and not namespace:
            self._note_values(data)
        if mode not in self._asked:
            return ()
        if mode == "debug":
            data = told_debug(data, self._secret_names)
        elif mode == "checkpoints":
            data = told_checkpoint(data, self._secret_names)
        return [(_event_name(mode, namespace), encode(data))]

    def _message_frames(
        self, namespace: tuple[str, ...], message: BaseMessage, metadata: JsonObject
    ) -> Sequence[Frame]:
        encoded = self._metadata.of(metadata)
        if self._tuples:
            return [(_event_name("messages", namespace), b"[%b,%b]" % (encode(message), encoded))]
        return self._messages.frames(message, encoded)

    def _note_values(self, values: Json) -> None:
        if not (isinstance(values, dict) and _INTERRUPT in values):
            self._values, self._has_values = values, True
            return
        state = {key: value for key, value in values.items() if key != _INTERRUPT}
        # A graph whose state is not an object streams its interrupts alone.
        if state:
            self._values, self._has_values = state, True

    def _event_data(self, event: JsonObject) -> bytes:
        return encode({**event, "metadata": orjson.Fragment(self._metadata.of(event["metadata"]))})


def _graph_modes(modes: Collection[StreamMode]) -> list[GraphMode]:
    wanted: dict[GraphMode, None] = {"values": None}
    for mode in modes:
        if mode != "events":
            wanted[_GRAPH_MODE[mode]] = None
    return list(wanted)


def _event_name(mode: str, namespace: tuple[str, ...]) -> str:
    return "|".join((mode, *namespace)) if namespace else mode
