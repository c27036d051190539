"""Long-term memory: items under namespaces, in the store that graphs use too."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Literal

from langgraph.store.base import NOT_PROVIDED, Item, SearchItem

from robyn_server.engine.access import Access
from robyn_server.engine.assistants import Assistants
from robyn_server.engine.parts import Parts
from robyn_server.errors import Forbidden, InvalidRequest, NotSupported
from robyn_server.resources.ids import canonical_id
from robyn_server.resources.metadata_filter import NOTHING
from robyn_server.resources.types import JsonObject

DEFAULT_LIMIT = 10


FOREIGN = "This namespace belongs to somebody else"


class Store:
    """The store as one caller may use it: where items have owners, his own, whatever their namespaces are called; a
    namespace that begins with another user's id looks empty and refuses writes. The authorizer may rewrite the
    namespace of any call; one that answers with "nothing" makes it look empty and refuses writes too."""

    def __init__(self, parts: Parts, access: Access) -> None:
        self._parts = parts
        self._store = parts.storage.store_of(access.store_owner)
        self._access = access

    async def put(
        self,
        namespace: list[str],
        key: str,
        value: JsonObject,
        *,
        index: Literal[False] | list[str] | None = None,
        ttl: float | None = None,
    ) -> None:
        """Create or replace an item; `ttl` in minutes. Raises `InvalidRequest`, `Forbidden`."""
        asked: JsonObject = {"namespace": tuple(namespace), "key": key, "value": value, "index": index}
        if await self._access.check("store", "put", asked) is NOTHING:
            raise Forbidden
        await self._refuse_foreign(asked["namespace"])
        with _refusals():
            await self._store.aput(
                tuple(asked["namespace"]),
                asked["key"],
                asked["value"],
                asked["index"],
                ttl=NOT_PROVIDED if ttl is None else ttl,
            )

    async def get(self, namespace: list[str], key: str, *, refresh_ttl: bool | None = None) -> Item | None:
        """The item, None when there is none. Raises `InvalidRequest`."""
        asked: JsonObject = {"namespace": tuple(namespace), "key": key}
        if await self._access.check("store", "get", asked) is NOTHING:
            return None
        with _refusals():
            return await self._store.aget(tuple(asked["namespace"]), asked["key"], refresh_ttl=refresh_ttl)

    async def delete(self, namespace: list[str], key: str) -> None:
        """Idempotent. Raises `InvalidRequest`, `Forbidden`."""
        asked: JsonObject = {"namespace": tuple(namespace), "key": key}
        if await self._access.check("store", "delete", asked) is NOTHING:
            raise Forbidden
        await self._refuse_foreign(asked["namespace"])
        with _refusals():
            await self._store.adelete(tuple(asked["namespace"]), asked["key"])

    async def search(
        self,
        namespace_prefix: list[str],
        *,
        filter: JsonObject | None = None,
        limit: int = DEFAULT_LIMIT,
        offset: int = 0,
        query: str | None = None,
        refresh_ttl: bool | None = None,
    ) -> list[SearchItem]:
        """Items below a prefix, by score when there is a query. Raises `InvalidRequest` (unknown operator)."""
        asked: JsonObject = {
            "namespace": tuple(namespace_prefix),
            "filter": filter,
            "limit": limit or DEFAULT_LIMIT,
            "offset": offset,
            "query": query or None,
        }
        visible = await self._access.check("store", "search", asked)
        if visible is NOTHING or asked["limit"] < 0:
            return []
        with _refusals():
            found = await self._store.asearch(
                tuple(asked["namespace"]),
                query=asked["query"],
                filter={**(asked["filter"] or {}), **visible.equal} or None,
                limit=asked["limit"],
                offset=max(asked["offset"], 0),
                refresh_ttl=refresh_ttl,
            )
        return [item for item in found if visible.allows(item.value)]

    async def namespaces(
        self,
        *,
        prefix: list[str] | None = None,
        suffix: list[str] | None = None,
        max_depth: int | None = None,
        limit: int = 100,
        offset: int = 0,
    ) -> list[tuple[str, ...]]:
        """Namespaces in use, sorted; deeper ones cut at `max_depth`. Raises `InvalidRequest`."""
        asked: JsonObject = {
            "namespace": None if prefix is None else tuple(prefix),
            "suffix": None if suffix is None else tuple(suffix),
            "max_depth": max_depth,
            "limit": limit,
            "offset": offset,
        }
        if await self._access.check("store", "list_namespaces", asked) is NOTHING or asked["limit"] <= 0:
            return []
        with _refusals():
            return await self._store.alist_namespaces(
                prefix=asked["namespace"] or None,
                suffix=asked["suffix"] or None,
                max_depth=asked["max_depth"],
                limit=asked["limit"],
                offset=max(asked["offset"], 0),
            )

    async def _refuse_foreign(self, namespace: Sequence[str]) -> None:
        """Users' ids are UUIDs mostly. The store refuses those that it knows; here all are, or the answer would tell
        which of them are users'. Not those of the caller's own assistants and threads, by which graphs file things."""
        owner, label = self._access.store_owner, namespace[0] if namespace else ""
        if owner is None or label == owner or canonical_id(label) is None:
            return
        if await Assistants(self._parts, self._access).find(label) is not None:
            return
        visible = await self._access.check("threads", "read", {"thread_id": label})
        if await self._parts.storage.threads.get(label, visible) is None:
            raise Forbidden(FOREIGN)


@contextmanager
def _refusals() -> Iterator[None]:
    """What the store will not take (a label with a NUL, an unknown operator) is the caller's mistake; a project's own
    store may be unable to do some of it."""
    try:
        yield
    except PermissionError as error:
        raise Forbidden(FOREIGN) from error
    except ValueError as error:
        raise InvalidRequest(str(error)) from error
    except NotImplementedError as error:
        raise NotSupported(str(error) or "This store cannot do that.") from error
