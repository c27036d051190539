"""The checkpoints of all threads in PostgreSQL, through LangGraph's own saver and in its own tables, so that other
LangGraph programs can read them."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, cast

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import (
    WRITES_IDX_MAP,
    BaseCheckpointSaver,
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
    DeltaChannelHistory,
    get_checkpoint_id,
    get_serializable_checkpoint_metadata,
)
from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from langgraph.checkpoint.serde.base import SerializerProtocol
from langgraph.checkpoint.serde.types import _DeltaSnapshot
from psycopg import AsyncCursor
from psycopg.rows import DictRow
from psycopg.types.json import Jsonb

from robyn_server.resources.types import JsonObject
from robyn_server.storage.checkpoints import upkeep_postgres as upkeep
from robyn_server.storage.checkpoints.encoding import (
    config_at,
    namespace_of,
    opened_metadata,
    sealed_metadata,
)
from robyn_server.storage.checkpoints.ids import stay_above
from robyn_server.storage.checkpoints.interfaces import Upkeep
from robyn_server.storage.checkpoints.rows import Place
from robyn_server.storage.postgres_connection import Pool, trouble_as_domain_error
from robyn_server.storage.postgres_db import PostgresDb


class PostgresSaver(AsyncPostgresSaver):
    """A saver for one run or one request: the library's holds a lock for all that one object does. It costs nothing
    to make; call it on the pool's loop. Before a write onto another run's checkpoint it remembers what stood
    there."""

    def __init__(self, pool: Pool, db: PostgresDb, serializer: SerializerProtocol) -> None:
        # The library asks for rows as dicts, which it sets itself on every cursor.
        super().__init__(cast(Any, pool), serde=serializer)
        self._db = db
        self._cipher = db.dialect.cipher
        self._runs: dict[tuple[str, str], str] = {}
        """By namespace and id: whose the checkpoints are that were put through this object."""

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """As the library's. What is read to go on from it is followed by greater ids."""
        found = await super().aget_tuple(config)
        configurable = config["configurable"]
        if not get_checkpoint_id(config):
            if found is not None:
                stay_above(found.checkpoint["id"])
        elif "run_id" in configurable:
            # A run that goes on from an older checkpoint.
            newest = await self._db.glance(partial(upkeep.newest_id, *namespace_of(config)))
            if newest is not None:
                stay_above(newest)
        return found

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """Keep a checkpoint; the config that names it. Every value has a row of its own: the library keeps plain ones
        (text, numbers) inside the checkpoint, and so loses them when another graph, which does not know the channel,
        goes on with the thread."""
        thread_id, ns = namespace_of(config)
        place = Place(thread_id, ns, checkpoint["id"])
        told = self._told(config, metadata)
        self._runs[ns, place.checkpoint_id] = str(told.get("run_id"))
        values = checkpoint["channel_values"]
        # What the library marks the snapshot of a delta channel with.
        marks = {channel: True for channel, value in values.items() if isinstance(value, _DeltaSnapshot)}
        rest = {**checkpoint, "channel_values": marks}
        versions = {channel: version for channel, version in new_versions.items() if channel in values}
        # Before anything is awaited: a node that runs meanwhile may change them.
        blobs = self._dump_blobs(thread_id, ns, values, versions)
        async with self._cursor(pipeline=True) as cursor:
            if blobs:
                await cursor.executemany(self.UPSERT_CHECKPOINT_BLOBS_SQL, blobs)
            await cursor.execute(
                self.UPSERT_CHECKPOINTS_SQL, (*place.key, get_checkpoint_id(config), Jsonb(rest), Jsonb(told))
            )
        return config_at(place)

    async def aput_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        """Keep what a task has written onto a checkpoint."""
        thread_id, ns = namespace_of(config)
        configurable = config["configurable"]
        place = Place(thread_id, ns, str(configurable["checkpoint_id"]))
        run_id = configurable.get("run_id")
        if run_id is not None and self._runs.get((ns, place.checkpoint_id)) != str(run_id):
            places = [WRITES_IDX_MAP.get(channel, idx) for idx, (channel, _) in enumerate(writes)]
            await self._db.write(partial(upkeep.remember_writes, place, str(run_id), task_id, places))
        await super().aput_writes(config, writes, task_id, task_path)

    async def alist(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[CheckpointTuple]:
        """As the library's; sealed metadata are compared here."""
        if not filter or not self._cipher.seals:
            async for found in super().alist(config, filter=filter, before=before, limit=limit):
                yield found
            return
        count = 0
        async for found in super().alist(config, before=before):
            if count == limit:
                return
            if _has(found, filter):
                count += 1
                yield found

    async def aget_delta_channel_history(
        self, *, config: RunnableConfig, channels: Sequence[str]
    ) -> Mapping[str, DeltaChannelHistory]:
        """As the library's; where a key may have to be waited for, not on the event loop."""
        found: Any = await super().aget_delta_channel_history(config=config, channels=channels)
        return await asyncio.to_thread(found) if isinstance(found, partial) else found

    def _build_delta_channels_writes_history(self, **given: Any) -> Any:
        build = partial(super()._build_delta_channels_writes_history, **given)
        return build if self._cipher.may_wait else build()

    async def _load_checkpoint_tuple(self, value: DictRow) -> CheckpointTuple:
        if not self._cipher.may_wait:
            return await super()._load_checkpoint_tuple(self._opened(value))
        opened = await asyncio.to_thread(self._opened, value)
        # Before the library would, on the event loop.
        values = await asyncio.to_thread(self._load_blobs, value["channel_values"])
        checkpoint = {**opened["checkpoint"]}
        checkpoint["channel_values"] = {**(checkpoint.get("channel_values") or {}), **values}
        return await super()._load_checkpoint_tuple(
            {**opened, "checkpoint": checkpoint, "channel_values": None}
        )

    def _opened(self, value: DictRow) -> DictRow:
        return {**value, "metadata": opened_metadata(self._cipher, value["metadata"], value["thread_id"])}

    def _told(self, config: RunnableConfig, metadata: CheckpointMetadata) -> dict[str, Any]:
        """The metadata as they are stored."""
        told: dict[str, Any] = {**get_serializable_checkpoint_metadata(config, metadata)}
        if "thread_id" in (config.get("metadata") or {}):
            # Clients see it there; the library leaves it out.
            told["thread_id"] = namespace_of(config)[0]
        if not self._cipher.seals:
            return told
        shown = {"run_id": told["run_id"]} if "run_id" in told else {}
        return {**sealed_metadata(self._cipher, told), **shown}

    @asynccontextmanager
    async def _cursor(self, *, pipeline: bool = False) -> AsyncIterator[AsyncCursor[DictRow]]:
        with trouble_as_domain_error():
            async with super()._cursor(pipeline=pipeline) as cursor:
                yield cursor


def _has(found: CheckpointTuple, wanted: Mapping[str, Any]) -> bool:
    metadata: Mapping[str, Any] = found.metadata
    return all(metadata.get(key) == value for key, value in wanted.items())


class PostgresCheckpoints:
    """See `interfaces.Checkpoints`. Every method is one transaction."""

    of_project = False

    def __init__(self, pool: Pool, db: PostgresDb, serializer: SerializerProtocol) -> None:
        self._pool = pool
        self._db = db
        self._serializer = serializer

    def saver(self) -> BaseCheckpointSaver[str]:
        """A saver for one run or one request; see `PostgresSaver`."""
        return PostgresSaver(self._pool, self._db, self._serializer)

    def check(self, upkeep: Upkeep) -> None:
        """See `Checkpoints`: there is nothing that these cannot do."""

    async def delete_thread(self, thread_id: str) -> None:
        """See `upkeep_postgres.delete_thread`."""
        await self._db.write(partial(upkeep.delete_thread, thread_id))

    async def delete_run(self, thread_id: str, run_id: str) -> None:
        """See `upkeep_postgres.delete_run`."""
        await self._db.write(partial(upkeep.delete_run, thread_id, run_id))

    async def copy_thread(self, thread_id: str, new_thread_id: str) -> None:
        """See `upkeep_postgres.copy_thread`."""
        await self._db.write(partial(upkeep.copy_thread, thread_id, new_thread_id))

    async def keep_latest(self, thread_id: str, keep: int = 1) -> None:
        """See `upkeep_postgres.keep_latest`. Not while the thread has a running run."""
        await self._db.write(partial(upkeep.keep_latest, thread_id, keep))

    async def newest_run_id(self, thread_id: str) -> str | None:
        """See `upkeep_postgres.newest_run_id`."""
        return await self._db.read(partial(upkeep.newest_run_id, thread_id))

    async def storage(self, thread_id: str) -> JsonObject:
        """As `SqliteCheckpoints.storage`."""
        return await self._db.read(partial(upkeep.storage, thread_id))
