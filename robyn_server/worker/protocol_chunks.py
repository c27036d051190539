"""A run of the thread protocol: LangGraph's event stream (`astream_events` version 3) -> entries of the log.

LangGraph makes the events (content blocks, lifecycle of subgraphs, tools); here they become JSON. Same shape as
`chunks.ChunkMapper`, so the executor does not care which of the two it holds.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import aclosing
from copy import copy
from typing import Any

from langchain_core._api import suppress_langchain_beta_warning
from langchain_core.runnables import RunnableConfig
from langgraph.pregel import Pregel
from langgraph.stream import AsyncGraphRunStream, ProtocolEvent, StreamTransformer

from robyn_server.resources.encoding import encode
from robyn_server.resources.protocol_event import logged_event
from robyn_server.resources.types import Json
from robyn_server.worker.checkpoint_chunks import told_checkpoint
from robyn_server.worker.chunks import Frame


class NamedCustom(StreamTransformer):
    """Lets custom payloads through that name their channel (`{"name": "progress", ...}`), for graphs that were not
    compiled to stream custom payloads at all: a client that asks for a channel by name shall get it."""

    required_stream_modes = ("custom",)

    def init(self) -> dict[str, Any]:
        """No projection."""
        return {}

    def process(self, event: ProtocolEvent) -> bool:
        """Whether the event is kept."""
        return event["method"] != "custom" or _is_named(event["params"]["data"])


class ProtocolMapper:
    """One attempt of one run. `secret_names` as in `ChunkMapper`."""

    def __init__(self, secret_names: Collection[str] = ()) -> None:
        self._secret_names = secret_names
        self._values: Json = None
        self._has_values = False

    async def open(
        self, graph: Pregel[Any, Any, Any, Any], input: Json, config: RunnableConfig, **options: Any
    ) -> AsyncIterator[ProtocolEvent]:
        """Start the graph; each event goes through `events_from`. `options` as in `ChunkMapper.open`. Closing the
        iterator, or cancelling whoever reads it, stops the graph and waits until it has stopped; a task that then
        still writes checkpoints is in the `CancelledError`, where LangGraph's own stream has it."""
        extra = None if _streams_custom(graph) else (NamedCustom,)
        graph, handed_over = _listened_to(graph)
        with suppress_langchain_beta_warning():
            run: AsyncGraphRunStream = await graph.astream_events(
                input, config, version="v3", transformers=extra, **options
            )
        source = aiter(run)
        step: asyncio.Task[ProtocolEvent | None] | None = None
        try:
            # A task of its own for each pull: were the pull itself cancelled, LangGraph would not wait for the graph.
            while (event := await _waited_for(step := asyncio.create_task(_next(source)))) is not None:
                yield event
        except asyncio.CancelledError:
            await _stopped(run, step)
            raise asyncio.CancelledError(*handed_over) from None
        finally:
            await _stopped(run, step)

    @property
    def last_values(self) -> bytes | None:
        """As `ChunkMapper.last_values`."""
        if not self._has_values:
            return None
        try:
            return encode(self._values)
        except TypeError:
            return None

    def events_from(self, event: ProtocolEvent) -> Sequence[Frame]:
        """The entry that an event gives, none for what only Python can use. Raises `TypeError` as `ChunkMapper`."""
        method, params = event["method"], event["params"]
        namespace, data = params["namespace"], params["data"]
        if method == "messages":
            data = data[0]
            # Whole messages that a node returned are in the values.
            if not isinstance(data, dict):
                return ()
        elif method == "checkpoints":
            data = told_checkpoint(data, self._secret_names)
        elif method == "values" and not namespace:
            self._values, self._has_values = data, True
        told = encode({**params, "data": data})
        return [("|".join((method, *namespace)), logged_event(event["seq"], method, told))]


def _listened_to(
    graph: Pregel[Any, Any, Any, Any],
) -> tuple[Pregel[Any, Any, Any, Any], list[Any]]:
    """The graph, and what is inside the `CancelledError` that its stream may end with: the event stream over it
    swallows that."""
    handed_over: list[Any] = []
    stream = graph.astream

    async def astream(*args: Any, **options: Any) -> AsyncIterator[Any]:
        try:
            async with aclosing(stream(*args, **options)) as parts:  # type: ignore[type-var]
                async for part in parts:
                    yield part
        except asyncio.CancelledError as error:
            handed_over.extend(error.args)
            raise

    graph = copy(graph)
    graph.astream = astream  # type: ignore[method-assign]
    return graph, handed_over


async def _stopped(run: AsyncGraphRunStream, step: asyncio.Task[Any] | None) -> None:
    await run.abort()
    if step is not None and not step.done():
        await asyncio.wait({step})


async def _next(source: AsyncIterator[ProtocolEvent]) -> ProtocolEvent | None:
    return await anext(source, None)


async def _waited_for(task: asyncio.Task[ProtocolEvent | None]) -> ProtocolEvent | None:
    await asyncio.wait({task})
    return task.result()


def _is_named(payload: Json) -> bool:
    return isinstance(payload, dict) and isinstance(payload.get("name"), str)


def _streams_custom(graph: Pregel[Any, Any, Any, Any]) -> bool:
    """Whether the graph was compiled with a transformer that wants custom payloads."""
    return any("custom" in _modes(one) for one in graph.stream_transformers or ())


def _modes(transformer: Callable[[tuple[str, ...]], StreamTransformer]) -> tuple[str, ...]:
    if isinstance(transformer, type):
        return tuple(getattr(transformer, "required_stream_modes", ()))
    return transformer(()).required_stream_modes
