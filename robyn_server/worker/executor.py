"""One run, from claim to finish."""

import asyncio
import logging
from collections.abc import Mapping
from contextlib import aclosing
from datetime import timedelta
from typing import Any, TypeAlias, cast
from uuid import UUID

import orjson
from langchain_core.runnables import RunnableConfig

from robyn_server.engine.parts import Parts
from robyn_server.engine.run_config import context_for_graph, executed
from robyn_server.errors import Unavailable
from robyn_server.observability.tracing import traced
from robyn_server.resources.clock import now
from robyn_server.resources.encoding import encode
from robyn_server.resources.failure import public_error
from robyn_server.resources.protocol_event import EVENT_STREAMING
from robyn_server.resources.run import Ending, Run
from robyn_server.resources.thread import StateOutcome
from robyn_server.resources.types import JsonObject
from robyn_server.worker.chunks import ChunkMapper
from robyn_server.worker.duties.lease_sweeper import LeaseSweeper
from robyn_server.worker.failures import error_frame
from robyn_server.worker.graph_input import graph_input
from robyn_server.worker.guarded_saver import GuardedSaver
from robyn_server.worker.job import Job
from robyn_server.worker.newest_state import newest_state
from robyn_server.worker.protocol_chunks import ProtocolMapper
from robyn_server.worker.rollback import roll_back
from robyn_server.worker.run_caller import collections_access, store_of_run
from robyn_server.worker.stop_reason import CancelRequested, LeaseLost, ShuttingDown, TimedOut
from robyn_server.worker.write_gate import LeaseGone

logger = logging.getLogger(__name__)

RETRY_AFTER = timedelta(seconds=1)
Mapper: TypeAlias = ChunkMapper | ProtocolMapper
"""What a run's graph is streamed with: its stream modes, or the thread protocol."""

LAST_WRITES = 5.0
"""Seconds that a cancelled graph may take to store what it has done."""

STILL_UNWINDING = 10.0
"""A graph that has not stopped this many seconds after its cancellation is cancelled again."""


class Executor:
    """Executes claimed runs."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def execute(self, job: Job) -> None:
        """Run the graph to its end and record how it ended. Never raises for what the graph does."""
        run, contexts = job.run, self._parts.storage.contexts
        self._parts.hooks.started(run)
        if contexts is not None:
            await contexts.enter(run.caller.get("encryption_context"))
        await self._parts.log.open(run.thread_id)
        mapper = self._mapper(run)
        with traced(run.kwargs["config"]["configurable"]):
            job.task = asyncio.create_task(self._stream(job, mapper), name=f"run {run.run_id}")
        if job.stop is not None:
            job.stop_for(job.stop)
        failure = await self._outcome(job)
        await job.gate.close()
        if await self._gave_back(job, failure):
            return
        ending = await self._ending(job, failure)
        await self._record(job, ending, mapper)

    def _mapper(self, run: Run) -> Mapper:
        secret_names = self._parts.settings.secret_config_keys
        if run.kwargs["config"]["configurable"].get(EVENT_STREAMING) is True:
            return ProtocolMapper(secret_names)
        return ChunkMapper(
            run.kwargs["stream_mode"], subgraphs=run.kwargs["subgraphs"], secret_names=secret_names
        )

    async def _outcome(self, job: Job) -> BaseException | None:
        """Wait for the graph within the time a run may take. What it failed with, None when it came to its end."""
        task = job.task
        assert task is not None
        limit: float | None = self._parts.settings.run_time_limit.total_seconds()
        while not task.done():
            await asyncio.wait({task}, timeout=limit)
            if not task.done():
                job.stop_for(TimedOut())
                limit = STILL_UNWINDING
        if task.cancelled():
            return asyncio.CancelledError()
        return task.exception()

    async def _stream(self, job: Job, mapper: Mapper) -> None:
        """Stream the graph into the thread's log."""
        run, parts = job.run, self._parts
        log = parts.log
        started = orjson.dumps({"run_id": run.run_id, "attempt": run.attempt})
        log.append(run.thread_id, run.run_id, run.attempt, run.resumable, [("metadata", started)])
        secrets: Mapping[str, JsonObject] = (
            orjson.loads(parts.sealer.open(run.secrets)) if run.secrets else {}
        )
        said, context = executed(run, secrets, parts.base_url, parts.settings)
        said["configurable"].update(collections_access(parts, run))
        said, context = context_for_graph(said, context, parts.graphs.context_properties(run.graph_id))
        config = cast(RunnableConfig, {**said, "run_id": UUID(run.run_id)})
        opening = True
        job.saver = self._saver(job)
        try:
            async with parts.graphs.open(
                run.graph_id,
                config,
                checkpointer=job.saver,
                store=store_of_run(parts, run),
                context=context,
            ) as graph:
                opening = False
                data = await self._input(run, config)
                chunks = mapper.open(graph, data, config, context=context, **_options(run))
                # Closed here and now, whatever happens: the graph stops with it.
                async with aclosing(chunks):  # type: ignore[type-var]
                    async for chunk in chunks:
                        events = mapper.events_from(chunk)
                        if events:
                            log.append(run.thread_id, run.run_id, run.attempt, run.resumable, events)
                            await log.room()
        except asyncio.CancelledError as error:
            await _last_writes(error)
            raise
        except Exception as error:
            # The last frame of a failed stream; a stop from outside says nothing.
            if job.stop is None and not _is_infrastructure(error):
                frame = ("error", error_frame(error, opening=opening))
                log.append(run.thread_id, run.run_id, run.attempt, run.resumable, [frame])
            raise

    async def _input(self, run: Run, config: RunnableConfig) -> Any:
        """What the graph is given. An attempt after a crash goes on from the newest checkpoint of the run; without
        one it starts over, on a thread as it was before the run."""
        if run.attempt == 1 or run.temporary:
            return graph_input(run.kwargs)
        checkpoints = self._parts.storage.checkpoints
        if await checkpoints.newest_run_id(run.thread_id) == run.run_id:
            config["configurable"].pop("checkpoint_id", None)
            return None
        await roll_back(checkpoints, run)
        return graph_input(run.kwargs)

    def _saver(self, job: Job) -> GuardedSaver | None:
        if job.run.temporary:
            return None
        saver = self._parts.storage.checkpoints.saver()
        return GuardedSaver(
            saver,
            job.gate,
            job.run.kwargs["config"]["configurable"],
            self._parts.settings.secret_config_keys,
        )

    async def _gave_back(self, job: Job, failure: BaseException | None) -> bool:
        """Whether the run is no longer ours to finish: lost, handed back, or to be tried again."""
        run, queue, hooks = job.run, self._parts.storage.queue, self._parts.hooks
        if isinstance(job.stop, LeaseLost) or isinstance(failure, LeaseGone):
            logger.warning("Lease lost: the run is left to other workers", extra={"run_id": run.run_id})
            hooks.lost(run)
            return True
        if isinstance(job.stop, ShuttingDown) and isinstance(failure, asyncio.CancelledError):
            await queue.hand_back(run)
            self._parts.notifier.run_queued()
            hooks.handed_back(run)
            return True
        if job.stop is None and failure is not None and _is_infrastructure(failure):
            error = public_error(failure)
            if await queue.retry(run, RETRY_AFTER, error, self._parts.settings.run_retries):
                logger.warning("Run will be tried again", extra={"run_id": run.run_id}, exc_info=failure)
                # It is due soon: whoever claims has to learn when.
                self._parts.notifier.run_queued()
                hooks.retrying(run, failure)
                return True
        return False

    async def _ending(self, job: Job, failure: BaseException | None) -> Ending:
        run, stop = job.run, job.stop
        if isinstance(stop, CancelRequested) and stop.action == "rollback":
            await roll_back(self._parts.storage.checkpoints, run)
            error = {"error": "UserRollback", "message": stop.reason}
            job.saver = None
            return Ending(None, error, state=await self._state(job))
        if failure is None:
            if job.saver is not None:
                job.saver.progress.over = True
            return Ending("success", state=await self._state(job))
        if isinstance(stop, CancelRequested):
            error = {"error": "UserInterrupt", "message": stop.reason}
            return Ending("interrupted", error, state=await self._state(job))
        if isinstance(stop, TimedOut):
            error = {"error": "TimeoutError", "message": ""}
            return Ending("timeout", error, error, await self._state(job))
        logger.info("Run failed", extra={"run_id": run.run_id}, exc_info=failure)
        error = public_error(failure)
        return Ending("error", error, error, await self._state(job))

    async def _state(self, job: Job) -> StateOutcome | None:
        return await newest_state(self._parts, job.run, job.saver)

    async def _record(self, job: Job, ending: Ending, mapper: Mapper) -> None:
        run, parts = job.run, self._parts
        if run.resumable:
            # Frames before status: who comes back to a run that has ended must find the last of them.
            await parts.log.kept()
        # Status before the closing entry: a reader who sees the end may resume the thread at once.
        finished = await parts.storage.queue.finish(run, ending)
        if finished is None:
            parts.hooks.lost(run)
            # Asked to roll back at the last moment? Then the thread waits for nothing but this.
            await LeaseSweeper(parts).run_once(parts.storage.now())
            return
        parts.log.end(run.thread_id, run.run_id, run.attempt, run.resumable, _result(run, ending, mapper))
        if finished.more_waits:
            parts.notifier.run_queued()
        parts.hooks.finished(run, ending, now())


async def _last_writes(cancelled: asyncio.CancelledError) -> None:
    """Cut off at its very end, LangGraph hands over the task that still writes its checkpoints."""
    writing = [task for task in cancelled.args if isinstance(task, asyncio.Task)]
    if writing:
        await asyncio.wait(writing, timeout=LAST_WRITES)


def _options(run: Run) -> dict[str, Any]:
    kwargs = run.kwargs
    options: dict[str, Any] = {}
    if kwargs.get("interrupt_before"):
        options["interrupt_before"] = kwargs["interrupt_before"]
    if kwargs.get("interrupt_after"):
        options["interrupt_after"] = kwargs["interrupt_after"]
    if not run.temporary:
        options["durability"] = kwargs["durability"]
    return options


def _result(run: Run, ending: Ending, mapper: Mapper) -> bytes:
    """What those who wait shall read when the run's frames do not show its values."""
    if "values" in run.kwargs["stream_mode"]:
        return b""
    state = ending.state
    if state is not None and state.interrupts:
        return encode({"__interrupt__": [one for task in state.interrupts.values() for one in task]})
    if state is not None and state.values is not None:
        return state.values
    return mapper.last_values or b""


def _is_infrastructure(error: BaseException) -> bool:
    """Whether the failure is ours (storage away, disk full), not the graph's."""
    return isinstance(error, Unavailable)
