"""Collections of documents, to be searched by meaning."""

from dataclasses import dataclass
from datetime import datetime

from robyn_server.resources.types import JsonObject


@dataclass(frozen=True, slots=True)
class Collection:
    """`embedder` names what its documents were embedded with: vectors of different makes cannot be compared."""

    collection_id: str
    owner: str
    name: str
    metadata: JsonObject
    embedder: str


@dataclass(frozen=True, slots=True)
class NewDocument:
    """The text of a file, and what its uploader says of it."""

    text: str
    metadata: JsonObject


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file of a collection, shown by its first piece."""

    file_id: str
    chunk_ids: tuple[str, ...]
    content: str
    metadata: JsonObject
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class FoundChunk:
    """A piece of a document that answers a query; `distance` 0 is nearest (one minus the cosine)."""

    chunk_id: str
    content: str
    metadata: JsonObject
    distance: float
