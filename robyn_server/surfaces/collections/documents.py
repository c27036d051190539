"""What comes in as files, and how collections, files and pieces look to clients."""

import asyncio

import orjson

from robyn_server.errors import InvalidRequest
from robyn_server.resources.clock import iso
from robyn_server.resources.collection import Collection, FoundChunk, NewDocument, StoredFile
from robyn_server.resources.types import JsonObject
from robyn_server.web.routing import Request
from robyn_server.web.uploads import Upload, uploads
from robyn_server.wire.document_text import Unreadable, document_text


async def read_documents(request: Request) -> tuple[list[NewDocument], list[str]]:
    """The texts of the uploaded files, and a warning for each that has none. Raises `InvalidRequest` when there is no
    text at all."""
    if not request.files:
        raise InvalidRequest("No files were provided: send them as multipart field 'files'")
    files = uploads(request)
    documents: list[NewDocument] = []
    warnings: list[str] = []
    for file, metadata in zip(files, _metadatas(request, len(files)), strict=True):
        try:
            text = await asyncio.to_thread(document_text, file.name, file.content)
        except Unreadable as error:
            warnings.append(f"{file.name}: {error}")
        else:
            documents.append(NewDocument(text, _described(file, metadata)))
    if not documents:
        raise InvalidRequest(f"Failed to process any of the files: {'; '.join(warnings)}")
    return documents, warnings


def _metadatas(request: Request, count: int) -> list[JsonObject]:
    """One object a file. Raises `InvalidRequest`."""
    text = request.form.get("metadatas_json")
    if not text:
        return [{}] * count
    try:
        given = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise InvalidRequest("metadatas_json is not JSON") from error
    if not isinstance(given, list) or not all(one is None or isinstance(one, dict) for one in given):
        raise InvalidRequest("metadatas_json must be a list of objects")
    if len(given) != count:
        raise InvalidRequest(f"metadatas_json has {len(given)} entries for {count} files")
    return [one or {} for one in given]


def _described(file: Upload, metadata: JsonObject) -> JsonObject:
    return {"name": file.name, "source": file.name, "size": len(file.content), **metadata}


def collection_document(collection: Collection) -> JsonObject:
    """`GET /collections/{id}`."""
    return {
        "uuid": collection.collection_id,
        "name": collection.name,
        "metadata": collection.metadata,
    }


def file_document(collection_id: str, file: StoredFile) -> JsonObject:
    """An item of `GET /collections/{id}/documents`: a file, shown by its first piece."""
    return {
        "id": file.chunk_ids[0],
        "collection_id": collection_id,
        "content": file.content,
        "metadata": file.metadata,
        "created_at": iso(file.created_at),
        "updated_at": iso(file.updated_at),
    }


def found_document(chunk: FoundChunk) -> JsonObject:
    """An item of a search."""
    return {
        "id": chunk.chunk_id,
        "page_content": chunk.content,
        "metadata": chunk.metadata,
        "score": chunk.distance,
    }
