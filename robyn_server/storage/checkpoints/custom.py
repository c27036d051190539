"""Checkpoints in a project's own saver, and the upkeep as far as the saver has it.

A saver must have `aput`, `aput_writes`, `aget_tuple`, `alist` and `adelete_thread`. Of the optional methods, a missing
`acopy_thread` is made up for by putting every checkpoint again; without `adelete_for_runs` no run can be rolled back,
without `aprune` no thread pruned: to delete a thread and put the rest of it again would lose it in a crash.
"""

import logging
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from typing import Any, Final, cast

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver, CheckpointMetadata, CheckpointTuple

from robyn_server.errors import NotSupported, StartupError
from robyn_server.resources.types import JsonObject
from robyn_server.storage.checkpoints.encoding import config_at, namespace_of
from robyn_server.storage.checkpoints.interfaces import Upkeep
from robyn_server.storage.checkpoints.rows import Place
from robyn_server.storage.named_object import Named, open_named

logger = logging.getLogger(__name__)

REQUIRED: Final = ("aput", "aput_writes", "aget_tuple", "alist", "adelete_thread")
NEEDED_FOR: Final[dict[Upkeep, tuple[str, str]]] = {
    "rollback": (
        "adelete_for_runs",
        "runs cannot be deleted or cancelled with rollback, and strategy rollback leaves their checkpoints",
    ),
    "prune": ("aprune", "threads cannot be pruned to their newest state"),
}


class CustomCheckpoints:
    """See `interfaces.Checkpoints`. A method is as much of one transaction as the saver makes it."""

    of_project = True

    def __init__(self, saver: BaseCheckpointSaver[Any]) -> None:
        self._saver = saver

    def saver(self) -> BaseCheckpointSaver[Any]:
        """The project's saver itself."""
        return self._saver

    def check(self, upkeep: Upkeep) -> None:
        """See `Checkpoints`."""
        method, without = NEEDED_FOR[upkeep]
        if not has(self._saver, method):
            raise NotSupported(f"The checkpointer {type(self._saver).__name__} has no {method}: {without}.")

    async def delete_thread(self, thread_id: str) -> None:
        """See `Checkpoints`."""
        await self._saver.adelete_thread(thread_id)

    async def delete_run(self, thread_id: str, run_id: str) -> None:
        """See `Checkpoints`. What the run wrote onto checkpoints of others is undone if the saver does that. Raises
        `NotSupported`."""
        self.check("rollback")
        with _gaps():
            await self._saver.adelete_for_runs([run_id])

    async def copy_thread(self, thread_id: str, new_thread_id: str) -> None:
        """See `Checkpoints`."""
        if has(self._saver, "acopy_thread"):
            with _gaps():
                await self._saver.acopy_thread(thread_id, new_thread_id)
            return
        thread: RunnableConfig = {"configurable": {"thread_id": thread_id}}
        found = [one async for one in self._saver.alist(thread)]
        put: set[tuple[str, str, Any]] = set()
        # Oldest first, as runs put them: the newest must be the last.
        for one in reversed(found):
            await self._copy(one, new_thread_id, put)

    async def keep_latest(self, thread_id: str, keep: int = 1) -> None:
        """See `Checkpoints`; `keep` is 1. Raises `NotSupported`."""
        self.check("prune")
        with _gaps():
            await self._saver.aprune([thread_id], strategy="keep_latest")

    async def newest_run_id(self, thread_id: str) -> str | None:
        """See `Checkpoints`."""
        newest = await self._saver.aget_tuple({"configurable": {"thread_id": thread_id, "checkpoint_ns": ""}})
        run_id = newest.metadata.get("run_id") if newest is not None else None
        return None if run_id is None else str(run_id)

    async def storage(self, thread_id: str) -> JsonObject:
        """Raises `NotSupported`."""
        raise NotSupported("Checkpoint storage is only reported for the built-in checkpointer.")

    async def _copy(self, one: CheckpointTuple, new_thread_id: str, put: set[tuple[str, str, Any]]) -> None:
        """`put`: namespace, channel and version of the values that the copy has already."""
        _, ns = namespace_of(one.config)
        parent = (one.parent_config or {}).get("configurable", {}).get("checkpoint_id", "")
        metadata = dict(one.metadata)
        if "thread_id" in metadata:
            metadata["thread_id"] = new_thread_id
        versions = one.checkpoint["channel_versions"]
        new = {channel: version for channel, version in versions.items() if (ns, channel, version) not in put}
        put.update((ns, channel, version) for channel, version in new.items())
        below = config_at(Place(new_thread_id, ns, parent))
        if not parent:
            del below["configurable"]["checkpoint_id"]
        await self._saver.aput(below, one.checkpoint, cast(CheckpointMetadata, metadata), new)
        place = config_at(Place(new_thread_id, ns, one.checkpoint["id"]))
        by_task: dict[str, list[tuple[str, Any]]] = {}
        for task_id, channel, value in one.pending_writes or ():
            by_task.setdefault(task_id, []).append((channel, value))
        for number, (task_id, writes) in enumerate(by_task.items()):
            # The path is not told. A number in its place keeps the order, which is all it is for.
            await self._saver.aput_writes(place, writes, task_id, f"{number:06}")


def has(saver: BaseCheckpointSaver[Any], method: str) -> bool:
    """Whether the saver has a method of its own where LangGraph's base only refuses."""
    return getattr(type(saver), method) is not getattr(BaseCheckpointSaver, method)


async def open_custom_checkpoints(
    named: Named, needs: tuple[Upkeep, ...], opened: AsyncExitStack
) -> CustomCheckpoints:
    """`needs`: what the settings ask for. Raises `StartupError`."""
    saver = await open_named(named, BaseCheckpointSaver, opened)
    missing = [method for method in REQUIRED if not has(saver, method)]
    if missing:
        raise StartupError(
            f"{named.place} gives a {type(saver).__name__}, which lacks {', '.join(missing)}: this server needs them."
        )
    checkpoints = CustomCheckpoints(saver)
    for upkeep in NEEDED_FOR:
        try:
            checkpoints.check(upkeep)
        except NotSupported as refusal:
            if upkeep in needs:
                raise StartupError(f"{refusal.message} Change the settings that ask for it.") from refusal
            logger.warning("%s", refusal.message)
    return checkpoints


@contextmanager
def _gaps() -> Iterator[None]:
    """A method that is there and only says that it is not."""
    try:
        yield
    except NotImplementedError as error:
        raise NotSupported(str(error) or "The checkpointer does not implement this.") from error
