"""Who keeps checkpoints and items: this storage, or a project's own saver and store."""

import inspect
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

from langgraph.store.base import BaseStore

from robyn_server.errors import StartupError
from robyn_server.storage.checkpoints.custom import CustomCheckpoints, open_custom_checkpoints
from robyn_server.storage.checkpoints.interfaces import Upkeep
from robyn_server.storage.checkpoints.serializer import SerdeOptions
from robyn_server.storage.named_object import Named, open_named
from robyn_server.storage.store.fence import FencedStore
from robyn_server.storage.store.sql_store import SqlStore, StoreOptions


@dataclass(frozen=True, slots=True)
class Persistence:
    """What langgraph.json says of it. `store` and `serde` are for our own; `needs` is what the settings ask of a custom
    checkpointer."""

    store: StoreOptions = field(default_factory=StoreOptions)
    serde: SerdeOptions = field(default_factory=SerdeOptions)
    custom_store: Named | None = None
    custom_checkpointer: Named | None = None
    needs: tuple[Upkeep, ...] = ()

    @property
    def is_custom(self) -> bool:
        """Whether anything is kept elsewhere."""
        return self.custom_store is not None or self.custom_checkpointer is not None


async def custom_checkpoints(wished: Persistence, opened: AsyncExitStack) -> CustomCheckpoints | None:
    """The project's, None when it has none. Raises `StartupError`."""
    named = wished.custom_checkpointer
    return await open_custom_checkpoints(named, wished.needs, opened) if named is not None else None


async def custom_store(wished: Persistence, opened: AsyncExitStack) -> BaseStore | None:
    """The project's object itself, which graphs get, None when there is none. The operator's `ttl` is what it goes by
    from then on. Raises `StartupError`."""
    named, ttl = wished.custom_store, wished.store.ttl
    if named is None:
        return None
    # An abstract class may stand for its kind.
    store = await open_named(named, BaseStore, opened)  # type: ignore[type-abstract]
    if ttl is not None and not store.supports_ttl:
        raise StartupError(
            f"{named.place} gives a {type(store).__name__}, which has no time to live (supports_ttl): remove"
            ' "store.ttl".'
        )
    if ttl is not None:
        # LangGraph's base reads it in `aput` and `aget`; it declares it for the class only.
        store.ttl_config = ttl  # type: ignore[misc]
    return store


def store_of(store: BaseStore, owner: str | None) -> BaseStore:
    """`Storage.store_of`. A project's store is fenced in: its users see what begins with their id."""
    if owner is None:
        return store
    return store.owned_by(owner) if isinstance(store, SqlStore) else FencedStore(store, owner)


async def sweep_store(store: BaseStore) -> int:
    """`Storage.sweep_store`. A project's store is swept if it has the `sweep_ttl` of LangGraph's own; else it minds its
    items itself, and this is 0."""
    if isinstance(store, SqlStore):
        return await store.sweep()
    sweep = getattr(store, "sweep_ttl", None)
    if sweep is None or not store.supports_ttl:
        return 0
    swept = sweep()
    return int(await swept if inspect.isawaitable(swept) else swept)


async def embed_again(store: BaseStore) -> int:
    """`Storage.embed_again`; 0 for a project's store, which embeds by itself."""
    return await store.embed_again() if isinstance(store, SqlStore) else 0
