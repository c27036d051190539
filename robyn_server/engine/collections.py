"""Collections of documents: create, fill, search. They are kept in a store of their own, with vectors.

("collection", owner)  collection id -> {"collection_id", "owner", "name", "metadata", "embedder"}
("file", collection)   file id       -> {"chunk_ids", "content", "metadata"}
("chunk", collection)  chunk id      -> {"content", "metadata"}, embedded by its content
"""

from collections.abc import Sequence
from typing import Literal
from urllib.parse import quote

from langgraph.store.base import BaseStore, Item, PutOp

from robyn_server.engine.access import Access
from robyn_server.engine.parts import Parts
from robyn_server.engine.text_chunks import chunks
from robyn_server.errors import Conflict, InvalidRequest, NotFound
from robyn_server.resources.collection import Collection, FoundChunk, NewDocument, StoredFile
from robyn_server.resources.ids import canonical_id, random_id
from robyn_server.resources.metadata_filter import NOTHING
from robyn_server.resources.types import JsonObject

MOST_LISTED = 10_000
FILES_AT_ONCE = 100
Action = Literal["put", "get", "search", "delete"]


class Collections:
    """Collections as one caller may see and change them. Who may is asked as for the store, namespace
    `(identity, "collections")`: the first label of what the authorizer leaves is the owner."""

    def __init__(self, parts: Parts, access: Access) -> None:
        self._rows: BaseStore = parts.storage.documents
        self._embedder = parts.storage.embedder
        self._access = access

    async def create(self, name: str, metadata: JsonObject) -> Collection:
        """A new, empty collection. Raises `Forbidden`."""
        owner = await self._owner("put")
        made = Collection(random_id(), owner or "", name, self._owned(metadata), self._embedder)
        await self._write(made)
        return made

    async def search_collections(self) -> list[Collection]:
        """All that the caller may see, by name."""
        owner = await self._owner("search")
        if owner is None and not self._access.caller.is_service:
            return []
        prefix = ("collection",) if self._access.caller.is_service else ("collection", _label(owner or ""))
        found = [_collection(item) for item in await self._rows.asearch(prefix, limit=MOST_LISTED)]
        return sorted(found, key=lambda one: (one.name, one.collection_id))

    async def get(self, collection_id: str, action: Action = "get") -> Collection:
        """Raises `NotFound`."""
        owner = await self._owner(action)
        canonical = canonical_id(collection_id)
        item: Item | None = None
        if canonical is not None and self._access.caller.is_service:
            everywhere = await self._rows.asearch(
                ("collection",), filter={"collection_id": canonical}, limit=1
            )
            item = everywhere[0] if everywhere else None
        elif canonical is not None and owner is not None:
            item = await self._rows.aget(("collection", _label(owner)), canonical)
        if item is None:
            raise NotFound(f"Collection '{collection_id}' not found")
        return _collection(item)

    async def update(self, collection_id: str, name: str | None, metadata: JsonObject | None) -> Collection:
        """What is None stays; metadata are replaced. Raises `NotFound`."""
        before = await self.get(collection_id, "put")
        changed = Collection(
            before.collection_id,
            before.owner,
            before.name if name is None else name,
            before.metadata if metadata is None else self._owned(metadata, before),
            before.embedder,
        )
        await self._write(changed)
        return changed

    async def delete(self, collection_id: str) -> None:
        """With all documents; idempotent."""
        try:
            found = await self.get(collection_id, "delete")
        except NotFound:
            return
        # The collection last: what a crash leaves is deleted by asking again.
        while files := await self._rows.asearch(("file", found.collection_id), limit=FILES_AT_ONCE):
            for file in files:
                await self._forget(found.collection_id, _file(file))
        await self._rows.adelete(("collection", _label(found.owner)), found.collection_id)

    async def add(self, collection_id: str, documents: Sequence[NewDocument]) -> list[str]:
        """Cut up, embed and keep documents; the ids of the pieces. Raises `NotFound`, `Conflict`, `Unavailable`."""
        found = await self.get(collection_id, "put")
        self._check_embedder(found)
        return [
            chunk_id for document in documents for chunk_id in await self._add(found.collection_id, document)
        ]

    async def _add(self, collection_id: str, document: NewDocument) -> list[str]:
        file_id = random_id()
        metadata = {**document.metadata, "file_id": file_id}
        pieces = chunks(document.text)
        ids = [random_id() for _ in pieces]
        shown = {"chunk_ids": ids, "content": pieces[0], "metadata": metadata}
        # One batch is one transaction: a file is there with all its pieces, or not at all.
        await self._rows.abatch(
            [
                PutOp(("file", collection_id), file_id, shown, index=False),
                *(
                    PutOp(("chunk", collection_id), chunk_id, {"content": piece, "metadata": metadata})
                    for chunk_id, piece in zip(ids, pieces, strict=True)
                ),
            ]
        )
        return ids

    async def files(self, collection_id: str, *, limit: int, offset: int) -> list[StoredFile]:
        """Its files in the order of their upload. Raises `NotFound`."""
        found = await self.get(collection_id)
        items = await self._rows.asearch(("file", found.collection_id), limit=limit, offset=offset)
        return [_file(item) for item in items]

    async def delete_file(self, collection_id: str, file_id: str) -> None:
        """Idempotent. Raises `NotFound` for the collection."""
        found = await self.get(collection_id, "delete")
        item = await self._rows.aget(("file", found.collection_id), file_id)
        if item is not None:
            await self._forget(found.collection_id, _file(item))

    async def search(
        self, collection_id: str, query: str, *, limit: int, filter: JsonObject | None = None
    ) -> list[FoundChunk]:
        """The pieces nearest to the query, whose metadata pass the filter. Raises `NotFound`, `InvalidRequest` (empty
        query, unknown operator), `Conflict`, `Unavailable`."""
        found = await self.get(collection_id)
        if not query.strip():
            raise InvalidRequest("Query cannot be empty")
        self._check_embedder(found)
        wanted = {"metadata": filter} if filter else None
        try:
            items = await self._rows.asearch(
                ("chunk", found.collection_id), query=query, filter=wanted, limit=limit
            )
        except ValueError as error:
            raise InvalidRequest(str(error)) from error
        return [
            FoundChunk(item.key, item.value["content"], item.value["metadata"], 1 - item.score)
            for item in items
            if item.score is not None
        ]

    async def _owner(self, action: Action) -> str | None:
        """Whose collections the caller may use now, None for nobody's."""
        identity = self._access.caller.identity
        asked: JsonObject = {"namespace": (identity, "collections"), "key": "", "value": {}}
        if await self._access.check("store", action, asked) is NOTHING:
            return None
        return str(asked["namespace"][0])

    def _owned(self, metadata: JsonObject, before: Collection | None = None) -> JsonObject:
        owner = self._access.caller.identity if before is None else before.metadata.get("owner_id")
        return {**metadata, "owner_id": owner}

    def _check_embedder(self, collection: Collection) -> None:
        if collection.embedder != self._embedder:
            raise Conflict(
                f"This collection was embedded with {collection.embedder}, but the server now uses {self._embedder}: "
                "make a new collection and upload its documents again."
            )

    async def _write(self, collection: Collection) -> None:
        value = {
            "collection_id": collection.collection_id,
            "owner": collection.owner,
            "name": collection.name,
            "metadata": collection.metadata,
            "embedder": collection.embedder,
        }
        place = ("collection", _label(collection.owner))
        await self._rows.aput(place, collection.collection_id, value, index=False)

    async def _forget(self, collection_id: str, file: StoredFile) -> None:
        gone = [PutOp(("chunk", collection_id), chunk_id, None) for chunk_id in file.chunk_ids]
        await self._rows.abatch([PutOp(("file", collection_id), file.file_id, None), *gone])


def _label(owner: str) -> str:
    """An identity as a label of a namespace, which may neither be empty nor hold a period."""
    return "@" + quote(owner, safe="").replace(".", "%2E")


def _collection(item: Item) -> Collection:
    return Collection(**item.value)


def _file(item: Item) -> StoredFile:
    value = item.value
    return StoredFile(
        item.key,
        tuple(value["chunk_ids"]),
        value["content"],
        value["metadata"],
        item.created_at,
        item.updated_at,
    )
