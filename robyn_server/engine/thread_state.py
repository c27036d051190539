"""State and history of a thread: read, update, fork."""

import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

from langchain_core.runnables import RunnableConfig
from langgraph.errors import EmptyInputError, InvalidUpdateError
from langgraph.types import StateUpdate

from robyn_server.engine.access import Access
from robyn_server.engine.parts import Parts
from robyn_server.engine.snapshots import checkpoint_of, state_document, state_outcome, thread_state
from robyn_server.engine.thread_stream import STATE_UPDATE
from robyn_server.engine.threads import no_graph
from robyn_server.errors import Conflict, DomainError, InvalidRequest, NotFound, ProjectFailure
from robyn_server.graphs.interfaces import Graph, Purpose
from robyn_server.resources.encoding import encode
from robyn_server.resources.thread import Thread, ThreadState
from robyn_server.resources.types import Json, JsonObject

logger = logging.getLogger(__name__)

REFUSED = (ValueError, TypeError, KeyError, InvalidUpdateError, EmptyInputError)
"""What a graph says to an update that it does not take."""

EMPTY = ThreadState({}, [], [], None, None, None, None, [])
GIVEN_KEYS = ("checkpoint_id", "checkpoint_ns", "checkpoint_map")


class ThreadStates:
    """Snapshots of threads, for one caller. Every method raises `ProjectFailure` when the graph's factory or the
    project's own saver does not do its part."""

    def __init__(self, parts: Parts, access: Access) -> None:
        self._parts = parts
        self._access = access

    async def get(
        self, thread_id: str, checkpoint: Mapping[str, Json] | None = None, *, subgraphs: bool = False
    ) -> ThreadState:
        """The newest state, or that at a checkpoint. A thread that never ran has an empty one; so has an unknown
        checkpoint id."""
        thread = await self._thread(thread_id, "read")
        graph_id = thread.metadata.get("graph_id") or await self._graph_of_runs(thread_id)
        if graph_id is None:
            return EMPTY
        async with self._graph(thread, graph_id, "threads.read") as graph:
            snapshot = await graph.aget_state(_config(thread_id, checkpoint), subgraphs=subgraphs)
        return thread_state(snapshot)

    async def history(
        self,
        thread_id: str,
        *,
        limit: int = 1,
        before: str | None = None,
        metadata: JsonObject | None = None,
        checkpoint: Mapping[str, Json] | None = None,
    ) -> list[ThreadState]:
        """States from the newest back, at most `limit`, those before a checkpoint id if given."""
        thread = await self._thread(thread_id, "read")
        graph_id = thread.metadata.get("graph_id")
        if graph_id is None or limit < 1:
            return []
        earlier: RunnableConfig | None = {"configurable": {"checkpoint_id": before}} if before else None
        async with self._graph(thread, graph_id, "threads.read") as graph:
            config = _config(thread_id, checkpoint)
            snapshots = graph.aget_state_history(config, filter=metadata, before=earlier, limit=limit)
            return [thread_state(snapshot) async for snapshot in snapshots]

    async def update(
        self,
        thread_id: str,
        values: Json,
        as_node: str | None = None,
        checkpoint: Mapping[str, Json] | None = None,
    ) -> JsonObject:
        """Write a checkpoint as if `as_node` had said `values`. The configurable of the new checkpoint.
        Raises `Conflict` while runs are in flight, `InvalidRequest` for what the graph does not take."""
        async with self._writable(thread_id) as (thread, graph):
            config = self._writing(thread, checkpoint)
            if checkpoint:
                # What is added to an older checkpoint is the newest from now on, whatever this server's clock says.
                await self._parts.storage.checkpoints.saver().aget_tuple(_config(thread_id, None))
            try:
                written = await graph.aupdate_state(config, values, as_node=as_node)
            except REFUSED as error:
                raise InvalidRequest(str(error)) from error
            await self._settle(thread_id, graph)
        return checkpoint_of(written)

    async def bulk_update(self, thread_id: str, supersteps: Sequence[JsonObject]) -> None:
        """Write a checkpoint for each superstep `{"updates": [{"values" | "command", "as_node"}]}`."""
        async with self._writable(thread_id) as (thread, graph):
            steps = [[_state_update(one) for one in step["updates"]] for step in supersteps]
            try:
                await graph.abulk_update_state(self._writing(thread, None), steps)
            except REFUSED as error:
                raise InvalidRequest(str(error)) from error
            await self._settle(thread_id, graph)

    def _writing(self, thread: Thread, checkpoint: Mapping[str, Json] | None) -> RunnableConfig:
        config = _config(thread.thread_id, checkpoint)
        if self._access.caller.identity:
            config["configurable"]["user_id"] = self._access.caller.display_name
        config["metadata"] = {"graph_id": thread.metadata.get("graph_id")}
        return config

    async def _settle(self, thread_id: str, graph: Graph) -> None:
        """Repeat the new state on the thread's row, then tell who follows the thread."""
        snapshot = await graph.aget_state(_config(thread_id, None))
        await self._parts.storage.threads.set_state(thread_id, state_outcome(snapshot))
        log = self._parts.log
        await log.open(thread_id)
        event = {"thread_id": thread_id, "state": state_document(thread_state(snapshot))}
        log.append(thread_id, "", 0, False, [(STATE_UPDATE, encode(event))])

    async def _thread(self, thread_id: str, action: str) -> Thread:
        visible = await self._access.check("threads", action, {"thread_id": thread_id})
        thread = await self._parts.storage.threads.get(thread_id, visible)
        if thread is None:
            raise NotFound(f"Thread with ID {thread_id} not found")
        return thread

    async def _graph_of_runs(self, thread_id: str) -> str | None:
        run = await self._parts.storage.runs.latest(thread_id)
        return run.graph_id if run else None

    def _graph_id(self, thread: Thread) -> str:
        graph_id = thread.metadata.get("graph_id")
        if graph_id is None:
            raise InvalidRequest(no_graph(thread.thread_id))
        return str(graph_id)

    async def _refuse_busy(self, thread_id: str) -> None:
        active = await self._parts.storage.runs.active(thread_id)
        if active:
            shown = [{"run_id": run.run_id, "status": run.status} for run in active]
            raise Conflict(f"Thread {thread_id} has in-flight runs: {shown}")

    @asynccontextmanager
    async def _writable(self, thread_id: str) -> AsyncIterator[tuple[Thread, Graph]]:
        """The thread and its graph, for one writer at a time: a second one goes on from what the first has written."""
        async with self._parts.storage.thread_locks.of(thread_id):
            thread = await self._thread(thread_id, "update")
            await self._refuse_busy(thread_id)
            async with self._graph(thread, self._graph_id(thread), "threads.update") as graph:
                yield thread, graph

    @asynccontextmanager
    async def _graph(self, thread: Thread, graph_id: str, purpose: Purpose) -> AsyncIterator[Graph]:
        storage = self._parts.storage
        config: RunnableConfig = {
            "configurable": {**thread.config.get("configurable", {}), "thread_id": thread.thread_id}
        }
        opened = False
        try:
            async with self._parts.graphs.open(
                graph_id,
                config,
                checkpointer=storage.checkpoints.saver(),
                store=storage.store_of(self._access.store_owner),
                purpose=purpose,
            ) as graph:
                opened = True
                yield graph
        except DomainError:
            raise
        except Exception as error:  # a project's factory and saver may raise anything
            if opened and not storage.checkpoints.of_project:
                raise
            part = "The checkpointer" if opened else f"The factory of graph '{graph_id}'"
            logger.exception("%s failed", part, extra={"thread_id": thread.thread_id})
            raise ProjectFailure(f"{part} failed: {type(error).__name__}: {error}") from error


def _config(thread_id: str, checkpoint: Mapping[str, Json] | None) -> RunnableConfig:
    given = {key: checkpoint[key] for key in GIVEN_KEYS if checkpoint.get(key)} if checkpoint else {}
    return {"configurable": {"thread_id": thread_id, "checkpoint_ns": "", **given}}


def _state_update(update: JsonObject) -> StateUpdate:
    values = update.get("values")
    if values is None and update.get("command"):
        values = update["command"].get("update")
    return StateUpdate(values, update["as_node"], None)
