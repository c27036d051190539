"""What the engine and the worker may ask of checkpoints, whoever keeps them."""

from typing import Any, Literal, Protocol, TypeAlias

from langgraph.checkpoint.base import BaseCheckpointSaver

from robyn_server.resources.types import JsonObject

Upkeep: TypeAlias = Literal["rollback", "prune"]
"""What a project's own checkpointer may be unable to do: `delete_run`, `keep_latest`."""


class Checkpoints(Protocol):
    """LangGraph's checkpoints, and the upkeep its savers lack. Deletions are idempotent."""

    @property
    def of_project(self) -> bool:
        """Whether the saver is the project's own, which may raise anything."""

    def check(self, upkeep: Upkeep) -> None:
        """Raises `NotSupported` when these checkpoints cannot do it; ask before anything is begun."""

    def saver(self) -> BaseCheckpointSaver[Any]:
        """A saver object for one run or one request."""

    async def delete_thread(self, thread_id: str) -> None: ...

    async def delete_run(self, thread_id: str, run_id: str) -> None:
        """Every checkpoint that carries this run id, with its writes, and the writes the run added to the
        checkpoint it continued from."""

    async def copy_thread(self, thread_id: str, new_thread_id: str) -> None: ...

    async def keep_latest(self, thread_id: str, keep: int = 1) -> None:
        """Prune each namespace to its newest `keep` checkpoints."""

    async def newest_run_id(self, thread_id: str) -> str | None:
        """The run id that the newest root checkpoint of the thread carries."""

    async def storage(self, thread_id: str) -> JsonObject:
        """Byte counts for `GET /threads/{id}/storage`."""
