"""LangGraph's checkpoint saver on our own SQLite file.

Every put is one job of the file's writer thread, handed over before its caller waits: what a run puts is kept
in that order, and the puts of many runs share a commit. Values are serialized where they are put, before
anything is awaited, since a node that runs meanwhile may change them. They are read back on a reader thread.
"""

import random
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import orjson
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import (
    BaseCheckpointSaver,
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
    DeltaChannelHistory,
    get_checkpoint_id,
)
from langgraph.checkpoint.serde.base import SerializerProtocol

from robyn_server.storage.checkpoints import upkeep
from robyn_server.storage.checkpoints.encoding import (
    checkpoint_tuple,
    config_at,
    loaded_metadata,
    loaded_writes,
    namespace_of,
    new_checkpoint,
    new_writes,
)
from robyn_server.storage.checkpoints.history import channel_history
from robyn_server.storage.checkpoints.portions import Portions
from robyn_server.storage.checkpoints.rows import (
    PAGE,
    Head,
    Page,
    Place,
    head_at,
    heads,
    newest_head,
    put_checkpoint,
    put_writes,
    writes_on,
)
from robyn_server.storage.checkpoints.values import read_values
from robyn_server.storage.db import Transition
from robyn_server.storage.encryption.cipher import Cipher
from robyn_server.storage.sqlite_db import SqliteDb


@dataclass(frozen=True, slots=True)
class _Search:
    page: Page
    filter: Mapping[str, Any]
    left: int | None
    """How many to find yet; None: all."""


class SqliteSaver(BaseCheckpointSaver[str]):
    """A saver for one run or one request; it costs nothing to make. Every sync method does what its async twin
    does and may be called from any thread; an event loop stands still while its own thread calls one."""

    def __init__(self, db: SqliteDb, serializer: SerializerProtocol, portions: Portions) -> None:
        super().__init__(serde=serializer)
        self._db = db
        self._portions = portions
        self._cipher = db.dialect.cipher

    def get_next_version(self, current: str | int | None, channel: None) -> str:
        """As LangGraph's saver for PostgreSQL: versions sort as text, and those of two branches differ."""
        number = 0 if current is None else int(str(current).split(".")[0])
        return f"{number + 1:032}.{random.random():016}"

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """The checkpoint that the config names, else the newest of its namespace."""
        return await self._db.read(partial(self._one, config))

    def get_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """See `aget_tuple`."""
        return self._db.read_sync(partial(self._one, config))

    async def alist(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[CheckpointTuple]:
        """Checkpoints, newest first. `filter`: keys of the metadata and what they must equal."""
        search: _Search | None = _search(config, filter, before, limit)
        while search is not None:
            found, search = await self._db.read(partial(self._some, search))
            for each in found:
                yield each

    def list(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> Iterator[CheckpointTuple]:
        """See `alist`."""
        search: _Search | None = _search(config, filter, before, limit)
        while search is not None:
            found, search = self._db.read_sync(partial(self._some, search))
            yield from found

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """Keep a checkpoint; the config that names it."""
        new = new_checkpoint(self.serde, self._cipher, config, checkpoint, metadata, new_versions)
        await self._db.write(partial(put_checkpoint, self._cipher, new))
        return config_at(new.place)

    def put(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """See `aput`."""
        new = new_checkpoint(self.serde, self._cipher, config, checkpoint, metadata, new_versions)
        self._db.write_sync(partial(put_checkpoint, self._cipher, new))
        return config_at(new.place)

    async def aput_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        """Keep what a task has written onto a checkpoint."""
        new = new_writes(self.serde, self._cipher, config, writes, task_id, task_path)
        await self._db.write(partial(put_writes, new))

    def put_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        """See `aput_writes`."""
        new = new_writes(self.serde, self._cipher, config, writes, task_id, task_path)
        self._db.write_sync(partial(put_writes, new))

    async def aget_delta_channel_history(
        self, *, config: RunnableConfig, channels: Sequence[str]
    ) -> Mapping[str, DeltaChannelHistory]:
        """For channels that store only their changes: what they are rebuilt from."""
        return await self._db.read(partial(self._history, config, channels))

    def get_delta_channel_history(
        self, *, config: RunnableConfig, channels: Sequence[str]
    ) -> Mapping[str, DeltaChannelHistory]:
        """See `aget_delta_channel_history`."""
        return self._db.read_sync(partial(self._history, config, channels))

    async def adelete_thread(self, thread_id: str) -> None:
        """See `upkeep.delete_thread`."""
        await self._portions.carry_out(upkeep.delete_thread(self._cipher, thread_id))

    def delete_thread(self, thread_id: str) -> None:
        """See `upkeep.delete_thread`."""
        self._portions.carry_out_sync(upkeep.delete_thread(self._cipher, thread_id))

    async def adelete_for_runs(self, run_ids: Sequence[str]) -> None:
        """See `upkeep.delete_run`."""
        await self._portions.carry_out(upkeep.delete_runs(self._cipher, run_ids))

    def delete_for_runs(self, run_ids: Sequence[str]) -> None:
        """See `upkeep.delete_run`."""
        self._portions.carry_out_sync(upkeep.delete_runs(self._cipher, run_ids))

    async def acopy_thread(self, source_thread_id: str, target_thread_id: str) -> None:
        """See `upkeep.copy_thread`."""
        await self._db.write(partial(upkeep.copy_thread, source_thread_id, target_thread_id))

    def copy_thread(self, source_thread_id: str, target_thread_id: str) -> None:
        """See `upkeep.copy_thread`."""
        self._db.write_sync(partial(upkeep.copy_thread, source_thread_id, target_thread_id))

    async def aprune(self, thread_ids: Sequence[str], *, strategy: str = "keep_latest") -> None:
        """`keep_latest` keeps the newest checkpoint of each namespace, `delete` none. Raises `ValueError` for
        another strategy."""
        await self._portions.carry_out(upkeep.prune(self._cipher, thread_ids, strategy))

    def prune(self, thread_ids: Sequence[str], *, strategy: str = "keep_latest") -> None:
        """See `aprune`."""
        self._portions.carry_out_sync(upkeep.prune(self._cipher, thread_ids, strategy))

    def _one(self, config: RunnableConfig) -> Transition[CheckpointTuple | None]:
        thread_id, ns = namespace_of(config)
        checkpoint_id = get_checkpoint_id(config)
        if checkpoint_id:
            head = yield from head_at(Place(thread_id, ns, str(checkpoint_id)))
        else:
            head = yield from newest_head(thread_id, ns)
        return (yield from self._complete(head)) if head is not None else None

    def _complete(self, head: Head) -> Transition[CheckpointTuple]:
        checkpoint = orjson.loads(head.checkpoint)
        place = head.place
        values = yield from read_values(
            self._cipher, place.thread_id, place.ns, checkpoint["channel_versions"]
        )
        writes = yield from writes_on(place)
        return checkpoint_tuple(self.serde, self._cipher, head, checkpoint, values, writes)

    def _some(self, search: _Search) -> Transition[tuple[Iterable[CheckpointTuple], _Search | None]]:
        """The next checkpoints of a search, and the search for those behind them, None when that is all."""
        page = yield from heads(search.page)
        wanted = [head for head in page if _matches(self._cipher, head, search.filter)][: search.left]
        found = []
        for head in wanted:
            found.append((yield from self._complete(head)))
        left = None if search.left is None else search.left - len(found)
        if left == 0 or len(page) < PAGE:
            return found, None
        return found, replace(search, page=replace(search.page, after=page[-1].place), left=left)

    def _history(
        self, config: RunnableConfig, channels: Sequence[str]
    ) -> Transition[Mapping[str, DeltaChannelHistory]]:
        thread_id, ns = namespace_of(config)
        checkpoint_id = get_checkpoint_id(config)
        if not checkpoint_id:
            head = yield from newest_head(thread_id, ns)
            checkpoint_id = head.place.checkpoint_id if head is not None else ""
        told: dict[str, DeltaChannelHistory] = {}
        found = yield from channel_history(self._cipher, Place(thread_id, ns, checkpoint_id), channels)
        for channel, history in found.items():
            told[channel] = {"writes": loaded_writes(self.serde, self._cipher, history.writes)}
            if history.seed is not None:
                told[channel]["seed"] = self.serde.loads_typed(history.seed)
        return told


def _search(
    config: RunnableConfig | None,
    metadata: Mapping[str, Any] | None,
    before: RunnableConfig | None,
    limit: int | None,
) -> _Search | None:
    if limit is not None and limit <= 0:
        return None
    configurable = config["configurable"] if config is not None else {}
    thread_id, ns = configurable.get("thread_id"), configurable.get("checkpoint_ns")
    page = Page(
        thread_id=None if thread_id is None else str(thread_id),
        ns=ns,
        checkpoint_id=configurable.get("checkpoint_id") or None,
        before=get_checkpoint_id(before) if before is not None else None,
    )
    return _Search(page, metadata or {}, limit)


def _matches(cipher: Cipher, head: Head, wanted: Mapping[str, Any]) -> bool:
    if not wanted:
        return True
    metadata = loaded_metadata(cipher, head)
    return all(metadata.get(key) == value for key, value in wanted.items())
