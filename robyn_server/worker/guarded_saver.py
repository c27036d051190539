"""The checkpointer a run is given: the storage's saver behind three guards.

* No write once the lease is lost (another worker may be writing) or the run is over.
* No secrets: savers copy configurable keys into checkpoint metadata, so they are dropped from the config first.
* What goes wrong with storage is told apart from what goes wrong in the graph: the former is retried.
"""

from collections.abc import AsyncIterator, Collection, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import (
    BaseCheckpointSaver,
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
    DeltaChannelHistory,
)

from robyn_server.auth.secrets import is_secret_name
from robyn_server.errors import Unavailable
from robyn_server.storage.checkpoints.encoding import DELTA_MARK
from robyn_server.worker.write_gate import WriteGate

ADDRESS = ("thread_id", "checkpoint_ns", "checkpoint_id")
PLACE = ("checkpoint_ns", "checkpoint_map")
UNSTORED = frozenset({"langgraph_auth_user", "langgraph_auth_permissions", *PLACE})


class CheckpointFailure(Unavailable):
    """The storage of checkpoints failed; the run may be tried again."""


@dataclass(slots=True)
class Progress:
    """What a run has stored so far. Clones of its saver share it."""

    newest: str | None = None
    """The id of the last root checkpoint."""
    over: bool = False
    """Whether the graph has come to its end: nobody changes any more what it has put."""
    last: CheckpointTuple | None = None
    written_onto: set[str] = field(default_factory=set)


class GuardedSaver(BaseCheckpointSaver[str]):
    """See the module's text. Every write goes through `gate`; `configurable` is the run's own, as admitted."""

    def __init__(
        self,
        saver: BaseCheckpointSaver[str],
        gate: WriteGate,
        configurable: Mapping[str, Any],
        secret_names: Sequence[str] = (),
    ) -> None:
        super().__init__(serde=saver.serde)
        self._saver = saver
        self._gate = gate
        self._secret_names = frozenset(secret_names)
        self._said = self._storable(configurable)
        self.progress = Progress()

    @property
    def config_specs(self) -> list[Any]:
        """As the saver's."""
        return self._saver.config_specs

    def get_next_version(self, current: str | None, channel: None) -> str:
        """As the saver's."""
        return self._saver.get_next_version(current, channel)

    def with_allowlist(self, extra_allowlist: Collection[tuple[str, ...]]) -> "GuardedSaver":
        """The same guards around what the saver gives; it is the saver that loads values."""
        saver = self._saver.with_allowlist(extra_allowlist)
        if saver is self._saver:
            return self
        clone = copy(self)
        vars(clone).update(_saver=saver, serde=saver.serde)
        return clone

    async def aget_delta_channel_history(
        self, *, config: RunnableConfig, channels: Sequence[str]
    ) -> Mapping[str, DeltaChannelHistory]:
        """As the saver's."""
        return await self._saver.aget_delta_channel_history(config=config, channels=channels)

    def get_delta_channel_history(
        self, *, config: RunnableConfig, channels: Sequence[str]
    ) -> Mapping[str, DeltaChannelHistory]:
        """As the saver's, for sync subgraphs."""
        return self._saver.get_delta_channel_history(config=config, channels=channels)

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """As the saver's. Once the graph is at its end, its last checkpoint is not read back but shown as it was put,
        if nothing has been written onto it."""
        last, checkpoint_id = self.progress.last, config["configurable"].get("checkpoint_id")
        if self.progress.over and last is not None and last.checkpoint["id"] == checkpoint_id:
            if checkpoint_id not in self.progress.written_onto:
                return last
        return await self._saver.aget_tuple(config)

    def get_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """As the saver's, for sync subgraphs."""
        return self._saver.get_tuple(config)

    async def alist(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[CheckpointTuple]:
        """As the saver's."""
        async for found in self._saver.alist(config, filter=filter, before=before, limit=limit):
            yield found

    def list(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> Iterator[CheckpointTuple]:
        """As the saver's, for sync subgraphs."""
        return self._saver.list(config, filter=filter, before=before, limit=limit)

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """Store a checkpoint."""
        with self._gate.writing(), _storage_failures():
            stored = await self._saver.aput(
                self._address(config), checkpoint, self._metadata(config, metadata), new_versions
            )
        if not config["configurable"].get("checkpoint_ns"):
            self.progress.newest = checkpoint["id"]
            # Not with channels that are put together from the writes on earlier checkpoints.
            whole = DELTA_MARK not in metadata
            self.progress.last = CheckpointTuple(stored, checkpoint, metadata, None, []) if whole else None
        return stored

    def put(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """Store a checkpoint, for sync subgraphs."""
        with self._gate.writing(), _storage_failures():
            return self._saver.put(
                self._address(config), checkpoint, self._metadata(config, metadata), new_versions
            )

    async def aput_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        """Store what a task has written."""
        self.progress.written_onto.add(config["configurable"]["checkpoint_id"])
        with self._gate.writing(), _storage_failures():
            await self._saver.aput_writes(config, writes, task_id, task_path)

    def put_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        """Store what a task has written, for sync subgraphs."""
        self.progress.written_onto.add(config["configurable"]["checkpoint_id"])
        with self._gate.writing(), _storage_failures():
            self._saver.put_writes(config, writes, task_id, task_path)

    @staticmethod
    def _address(config: RunnableConfig) -> RunnableConfig:
        configurable = config["configurable"]
        return {"configurable": {key: configurable[key] for key in ADDRESS if key in configurable}}

    def _metadata(self, config: RunnableConfig, metadata: CheckpointMetadata) -> CheckpointMetadata:
        """Checkpoint metadata as on the reference: every key of the run's configurable that does not begin with `__`,
        whatever its type, below the run's metadata, below what LangGraph says itself. A subgraph's also say where it
        stands, as its config's metadata has it where they do."""
        configurable, around = config["configurable"], config.get("metadata") or {}
        kept = {**self._said, **self._storable(around)}
        if configurable.get("checkpoint_ns"):
            kept |= {key: around.get(key, configurable[key]) for key in PLACE if key in configurable}
        kept.update(metadata)
        return kept  # type: ignore[return-value]

    def _storable(self, said: Mapping[str, Any]) -> dict[str, Any]:
        return {
            key: value
            for key, value in said.items()
            if not (key.startswith("__") or key in UNSTORED or is_secret_name(key, self._secret_names))
        }


class _storage_failures:
    """Turns a failure of the storage into `CheckpointFailure`."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        if isinstance(error, OSError) or (
            kind is not None and kind.__module__ in ("sqlite3", "psycopg.errors")
        ):
            raise CheckpointFailure(str(error)) from error
