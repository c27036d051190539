"""Between LangGraph's checkpoints and our rows. Values go through the serializer; what else a checkpoint holds
(ids, names, versions) and its metadata are JSON."""

import json
from base64 import b64decode, b64encode
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

import orjson
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import (
    WRITES_IDX_MAP,
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
    PendingWrite,
    get_checkpoint_id,
    get_serializable_checkpoint_metadata,
)
from langgraph.checkpoint.serde.base import SerializerProtocol

from robyn_server.storage.checkpoints.rows import Head, NewCheckpoint, NewWrites, Place
from robyn_server.storage.checkpoints.values import Value, opened_value, sealed_value
from robyn_server.storage.db import Row
from robyn_server.storage.encryption.cipher import Cipher

DELTA_MARK = "counters_since_delta_snapshot"
"""Key in the metadata of a checkpoint with channels that hold only what changed since a snapshot further up
(langgraph >= 1.2). SQL looks for it."""

SEALED_METADATA = "\x01sealed"
"""Key in stored metadata, with all of it in sealed form."""


def namespace_of(config: RunnableConfig) -> tuple[str, str]:
    """Thread id and checkpoint namespace."""
    configurable = config["configurable"]
    return str(configurable["thread_id"]), str(configurable.get("checkpoint_ns", ""))


def config_at(place: Place) -> RunnableConfig:
    """A config that names a checkpoint."""
    return {
        "configurable": {
            "thread_id": place.thread_id,
            "checkpoint_ns": place.ns,
            "checkpoint_id": place.checkpoint_id,
        }
    }


def new_checkpoint(
    serializer: SerializerProtocol,
    cipher: Cipher,
    config: RunnableConfig,
    checkpoint: Checkpoint,
    metadata: CheckpointMetadata,
    new_versions: ChannelVersions,
) -> NewCheckpoint:
    """The rows of a checkpoint. Its values are kept by version, also those that this graph does not know, so only
    new versions are serialized."""
    values = checkpoint["channel_values"]
    rest: dict[str, Any] = {key: part for key, part in checkpoint.items() if key != "channel_values"}
    told: dict[str, Any] = {**get_serializable_checkpoint_metadata(config, metadata)}
    if "thread_id" in told or "thread_id" in (config.get("metadata") or {}):
        # Clients see it there. It is filled in when it is read: a copy of the thread names its own.
        told["thread_id"] = None
    run_id = told.get("run_id")
    return NewCheckpoint(
        place=Place(*namespace_of(config), checkpoint["id"]),
        parent=get_checkpoint_id(config),
        run_id=None if run_id is None else str(run_id),
        checkpoint=orjson.dumps(rest).decode(),
        metadata=_stored_metadata(cipher, told),
        values={
            channel: (str(version), serializer.dumps_typed(values[channel]))
            for channel, version in new_versions.items()
            if channel in values
        },
    )


def new_writes(
    serializer: SerializerProtocol,
    cipher: Cipher,
    config: RunnableConfig,
    writes: Sequence[tuple[str, Any]],
    task_id: str,
    task_path: str,
) -> NewWrites:
    """The rows of a task's writes."""
    configurable = config["configurable"]
    run_id = configurable.get("run_id")
    return NewWrites(
        place=Place(*namespace_of(config), str(configurable["checkpoint_id"])),
        run_id=None if run_id is None else str(run_id),
        task_id=task_id,
        task_path=task_path,
        rows=[
            (WRITES_IDX_MAP.get(channel, idx), channel, *sealed_value(cipher, serializer.dumps_typed(value)))
            for idx, (channel, value) in enumerate(writes)
        ],
        replace=all(channel in WRITES_IDX_MAP for channel, _ in writes),
    )


def loaded_metadata(cipher: Cipher, head: Head) -> dict[str, Any]:
    """The metadata of a checkpoint."""
    return opened_metadata(cipher, json.loads(head.metadata), head.place.thread_id)


def opened_metadata(cipher: Cipher, stored: dict[str, Any], thread_id: str) -> dict[str, Any]:
    """The reverse of `sealed_metadata`, also for metadata from before encryption. Raises `CannotOpen`."""
    metadata: dict[str, Any] = (
        json.loads(cipher.open(b64decode(stored[SEALED_METADATA]))) if SEALED_METADATA in stored else stored
    )
    if "thread_id" in metadata:
        metadata["thread_id"] = thread_id
    return metadata


def loaded_writes(serializer: SerializerProtocol, cipher: Cipher, rows: Iterable[Row]) -> list[PendingWrite]:
    """Rows of `rows.writes_on`."""
    return [
        (task_id, channel, serializer.loads_typed(opened_value(cipher, (kind, blob))))
        for task_id, channel, kind, blob in rows
    ]


def checkpoint_tuple(
    serializer: SerializerProtocol,
    cipher: Cipher,
    head: Head,
    checkpoint: dict[str, Any],
    values: Mapping[str, Value],
    writes: list[Row],
) -> CheckpointTuple:
    """A checkpoint as LangGraph takes it; `checkpoint` is the parsed JSON of `head`."""
    place = head.place
    checkpoint["channel_values"] = {
        channel: serializer.loads_typed(value) for channel, value in values.items()
    }
    return CheckpointTuple(
        config=config_at(place),
        checkpoint=cast(Checkpoint, checkpoint),
        metadata=cast(CheckpointMetadata, loaded_metadata(cipher, head)),
        parent_config=config_at(Place(place.thread_id, place.ns, head.parent)) if head.parent else None,
        pending_writes=loaded_writes(serializer, cipher, writes),
    )


def _stored_metadata(cipher: Cipher, told: Mapping[str, Any]) -> str:
    return json.dumps(sealed_metadata(cipher, told)) if cipher.seals else _metadata_text(told).decode()


def sealed_metadata(cipher: Cipher, told: Mapping[str, Any]) -> dict[str, Any]:
    """The metadata of a checkpoint as they are stored with encryption: LangGraph puts the run's configurable into
    them. What SQL looks for stays."""
    shown = {DELTA_MARK: True} if DELTA_MARK in told else {}
    return {SEALED_METADATA: b64encode(cipher.seal(_metadata_text(told))).decode(), **shown}


def _metadata_text(told: Mapping[str, Any]) -> bytes:
    # Not orjson: numbers of any size, NaN and broken text are to be kept as well as JSON allows.
    return json.dumps(told, ensure_ascii=False, default=str).encode("utf-8", "ignore")
