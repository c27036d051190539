"""Threads as rows: create, read, change, copy, prune, delete. Their state is `thread_state.py`'s."""

import asyncio
from dataclasses import replace
from datetime import timedelta

from robyn_server.engine.access import Access
from robyn_server.engine.parts import Parts
from robyn_server.engine.run_ending import stop_run
from robyn_server.engine.thread_ttl import ttl_rules
from robyn_server.errors import Conflict, InvalidRequest, NotFound, Unprocessable
from robyn_server.resources.ids import canonical_id, new_id, random_id
from robyn_server.resources.metadata_filter import MetadataFilter
from robyn_server.resources.page import Page
from robyn_server.resources.reserved import own_metadata
from robyn_server.resources.thread import NewThread, Thread, ThreadSearch, ThreadTtl, TtlStrategy
from robyn_server.resources.types import JsonObject

WAIT_FOR_STOP = timedelta(seconds=5)
"""How long a delete waits for running work; the thread sweeper finishes what takes longer."""

POLL_SECONDS = 0.02


class Threads:
    """Threads as one caller may see and change them."""

    def __init__(self, parts: Parts, access: Access) -> None:
        self._parts = parts
        self._storage = parts.storage
        self._locks = parts.storage.thread_locks
        self._rows = parts.storage.threads
        self._graphs = parts.graphs
        self._default_ttl = ttl_rules(parts.settings, parts.config_file).default
        self._access = access

    async def create(
        self,
        *,
        thread_id: str | None = None,
        metadata: JsonObject | None = None,
        if_exists: str = "raise",
        ttl: ThreadTtl | None = None,
    ) -> Thread:
        """A new thread, or with `if_exists="do_nothing"` the one that has this id. Raises `Conflict`,
        `NotSupported`."""
        self._check_strategy(ttl.strategy if ttl else None)
        asked: JsonObject = {
            "thread_id": thread_id or new_id(),
            "metadata": own_metadata(metadata),
            "if_exists": if_exists,
        }
        visible = await self._access.check("threads", "create", asked)
        new = NewThread(asked["thread_id"], asked["metadata"], ttl or self._default_ttl)
        created = await self._rows.create(new)
        if created is None and if_exists == "do_nothing":
            created = await self._rows.get(new.thread_id, visible)
        if created is None:
            raise Conflict(f"Thread with ID {new.thread_id} already exists")
        return created

    def graph_problem(self, thread: Thread) -> str | None:
        """Why the thread's state cannot be written for want of a graph, None when it can."""
        graph_id = thread.metadata.get("graph_id")
        if graph_id is None:
            return no_graph(thread.thread_id)
        if graph_id not in self._graphs.ids():
            return f"Graph '{graph_id}' not found. Expected one of: {sorted(self._graphs.ids())}"
        return None

    async def get(self, thread_id: str) -> Thread:
        """Raises `NotFound`."""
        visible = await self._access.check("threads", "read", {"thread_id": thread_id})
        found = await self._rows.get(thread_id, visible)
        if found is None:
            raise NotFound(f"Thread with ID {thread_id} not found")
        return found

    async def update(
        self, thread_id: str, *, metadata: JsonObject | None = None, ttl: ThreadTtl | None = None
    ) -> Thread:
        """Merge metadata one level deep; a `ttl` starts to count now. Raises `NotFound`, `NotSupported`."""
        self._check_strategy(ttl.strategy if ttl else None)
        asked: JsonObject = {"thread_id": thread_id, "metadata": own_metadata(metadata)}
        visible = await self._access.check("threads", "update", asked)
        updated = await self._rows.patch(thread_id, asked["metadata"], visible)
        if updated is None:
            raise NotFound
        if ttl is not None:
            await self._rows.set_ttl(thread_id, ttl)
        return updated

    async def delete(self, thread_id: str) -> None:
        """Stop its runs, then delete it with its checkpoints, events, runs and crons. Raises `NotFound`."""
        visible = await self._access.check("threads", "delete", {"thread_id": thread_id})
        there = await self._rows.get(thread_id, visible) is not None
        # Of several that delete it at the same moment, all but one come too late.
        if not (there and await self._delete(thread_id)):
            raise NotFound(f"Thread with ID {thread_id} not found")

    async def delete_matching(self, metadata: JsonObject) -> None:
        """Delete every thread whose metadata holds this and that the caller may delete."""
        visible = await self._access.check("threads", "delete", {"metadata": dict(metadata)})
        query = ThreadSearch(metadata, limit=1000, sort_by="created_at", with_values=False, visible=visible)
        found: list[str] = []
        more = True
        while more:
            page = await self._rows.search(replace(query, offset=len(found)))
            found += [thread.thread_id for thread in page.items]
            more = page.more
        for thread_id in found:
            await self._delete(thread_id)

    async def stop_runs_of(self, assistant_id: str) -> None:
        """Ask every active run of a deleted assistant to stop, whosever it is."""
        for run in await self._storage.runs.active_of(assistant_id):
            if run.cancel_action != "rollback":
                await stop_run(self._parts, run, "interrupt", "assistant deleted")

    async def copy(self, thread_id: str) -> Thread:
        """A new idle thread with the same metadata and checkpoints, without the runs. Raises `Conflict` when there
        is nothing to copy."""
        readable = await self._access.check("threads", "read", {"thread_id": thread_id})
        async with self._locks.of(thread_id):
            return await self._copy(thread_id, readable)

    async def _copy(self, thread_id: str, readable: MetadataFilter) -> Thread:
        source = await self._rows.get(thread_id, readable)
        metadata = dict(source.metadata) if source else {}
        new_thread_id = random_id()
        # Asked for leave only: a copy keeps its owner, whoever makes it.
        await self._access.check(
            "threads", "create", {"thread_id": new_thread_id, "metadata": dict(metadata)}
        )
        if source is None:
            raise Conflict
        created = await self._rows.create(NewThread(new_thread_id, metadata, source.ttl, copied=True))
        if created is None:
            raise Conflict
        await self._storage.checkpoints.copy_thread(thread_id, created.thread_id)
        return created

    async def prune(self, thread_ids: list[str], strategy: TtlStrategy = "delete") -> int:
        """Delete threads, or all but their newest checkpoints; how many. Unknown ids are passed over; raises
        `NotFound` when the caller's rights end before one of them, `NotSupported`."""
        self._check_strategy(strategy)
        found: list[Thread] = []
        for thread_id in dict.fromkeys(thread_ids):
            visible = await self._access.check("threads", "delete", {"thread_id": thread_id})
            thread = await self._rows.get(thread_id, visible)
            if thread is not None:
                found.append(thread)
            elif not visible.is_everything:
                raise NotFound("At least one thread not found or not authorized")
        for thread in found:
            if strategy == "delete":
                await self._delete(thread.thread_id)
            else:
                async with self._locks.of(thread.thread_id):
                    await self._storage.checkpoints.keep_latest(thread.thread_id)
        return len(found)

    async def search(self, query: ThreadSearch) -> Page[Thread]:
        """Raises `InvalidRequest` for an id that is none, `Unprocessable` for `values` where they are encrypted."""
        return await self._rows.search(await self._allowed(query))

    async def count(self, query: ThreadSearch) -> int:
        """How many match, whatever the paging."""
        return await self._rows.count(await self._allowed(query))

    async def storage(self, thread_id: str) -> JsonObject:
        """What its checkpoints weigh, in bytes. Raises `NotFound`."""
        await self.get(thread_id)
        return {"thread_id": thread_id, **await self._storage.checkpoints.storage(thread_id)}

    def _check_strategy(self, strategy: TtlStrategy | None) -> None:
        if strategy == "keep_latest":
            self._storage.checkpoints.check("prune")

    async def _allowed(self, query: ThreadSearch) -> ThreadSearch:
        if query.values and self._storage.is_sealed:
            raise Unprocessable("Threads cannot be searched by values: this server encrypts them.")
        ids: list[str] = []
        for text in query.ids:
            thread_id = canonical_id(text)
            if thread_id is None:
                raise InvalidRequest(f"Invalid thread ID {text}")
            ids.append(thread_id)
        asked: JsonObject = {
            "metadata": dict(query.metadata),
            "values": dict(query.values),
            "status": query.status,
            "limit": query.limit,
            "offset": query.offset,
            "ids": ids or None,
        }
        visible = await self._access.check("threads", "search", asked)
        return replace(query, metadata=asked["metadata"] or {}, ids=tuple(ids), visible=visible)

    async def _delete(self, thread_id: str) -> bool:
        """Whether it was there. One whose runs are slow to stop is hidden and left to the thread sweeper."""
        async with self._locks.of(thread_id):
            if not await self._stop(thread_id):
                return True
            await self._storage.checkpoints.delete_thread(thread_id)
            was_there = await self._rows.delete(thread_id)
            await self._parts.log.forget_thread(thread_id)
        return was_there

    async def _stop(self, thread_id: str) -> bool:
        active = await self._storage.runs.active(thread_id)
        if not active:
            return True
        # The intent that a crash, or a run that is slow to stop, leaves for the sweeper.
        await self._rows.expire(thread_id)
        deadline = asyncio.get_running_loop().time() + WAIT_FOR_STOP.total_seconds()
        asked: set[str] = set()
        while active:
            for run in active:
                if run.run_id not in asked:
                    asked.add(run.run_id)
                    await stop_run(self._parts, run, "rollback", "thread deleted")
            if asyncio.get_running_loop().time() > deadline:
                return False
            await asyncio.sleep(POLL_SECONDS)
            active = await self._storage.runs.active(thread_id)
        return True


def no_graph(thread_id: str) -> str:
    """Why a thread that nothing has run on cannot be updated."""
    return (
        f"Thread '{thread_id}' has no assigned graph ID. This usually occurs when no runs have been made on this "
        "particular thread. This operation requires a graph ID. Please ensure a run has been made for the thread or "
        "manually update the thread metadata (by setting the 'graph_id' field) before running this operation."
    )
