"""Routes of collections and their documents."""

from robyn_server.auth.tickets import COLLECTIONS
from robyn_server.errors import InvalidRequest
from robyn_server.resources.types import JsonObject
from robyn_server.surfaces.collections.documents import (
    collection_document,
    file_document,
    found_document,
    read_documents,
)
from robyn_server.web.routing import Reply, Request, Route, Shown

TAGS = ("Collections",)
USUAL_LIMIT = 10
LARGEST_LIMIT = 100
LARGEST_OFFSET = 2**53
"""What a database can still count to, with the limit on top."""


async def create_collection(request: Request) -> Reply:
    """Create a collection."""
    body: JsonObject = request.json()
    made = await request.engine.collections.create(body["name"], body.get("metadata") or {})
    return Reply.json(collection_document(made), 201)


async def list_collections(request: Request) -> Reply:
    """List the caller's collections, by name."""
    found = await request.engine.collections.search_collections()
    return Reply.json([collection_document(one) for one in found])


async def get_collection(request: Request) -> Reply:
    """Read a collection."""
    return Reply.json(collection_document(await request.engine.collections.get(_id(request))))


async def update_collection(request: Request) -> Reply:
    """Rename a collection, or replace its metadata."""
    body: JsonObject = request.json()
    name, metadata = body.get("name"), body.get("metadata")
    if name is None and metadata is None:
        raise InvalidRequest("Name or metadata must be given")
    changed = await request.engine.collections.update(_id(request), name, metadata)
    return Reply.json(collection_document(changed))


async def delete_collection(request: Request) -> Reply:
    """Delete a collection with its documents, if it is there."""
    await request.engine.collections.delete(_id(request))
    return Reply.empty()


async def upload_documents(request: Request) -> Reply:
    """Read, cut up and embed files."""
    collections = request.engine.collections
    # Who may not put anything there shall not make us read it.
    await collections.get(_id(request), "put")
    documents, warnings = await read_documents(request)
    added = await collections.add(_id(request), documents)
    answer: JsonObject = {
        "success": True,
        "message": f"{len(added)} document chunk(s) from {len(documents)} file(s) added successfully.",
        "added_chunk_ids": added,
    }
    return Reply.json({**answer, "warnings": "; ".join(warnings)} if warnings else answer)


async def list_documents(request: Request) -> Reply:
    """List the files of a collection."""
    limit = min(max(_number(request, "limit", USUAL_LIMIT), 1), LARGEST_LIMIT)
    offset = min(max(_number(request, "offset", 0), 0), LARGEST_OFFSET)
    files = await request.engine.collections.files(_id(request), limit=limit, offset=offset)
    return Reply.json([file_document(_id(request), file) for file in files])


async def delete_document(request: Request) -> Reply:
    """Delete a file with all its pieces, if it is there."""
    await request.engine.collections.delete_file(_id(request), request.path_params["document_id"])
    return Reply.json({"success": True})


async def search_documents(request: Request) -> Reply:
    """Search a collection for what is nearest to a query."""
    body: JsonObject = request.json()
    found = await request.engine.collections.search(
        _id(request), body["query"], limit=int(body.get("limit") or USUAL_LIMIT), filter=body.get("filter")
    )
    return Reply.json([found_document(chunk) for chunk in found])


def _id(request: Request) -> str:
    return request.path_params["collection_id"]


def _number(request: Request, name: str, default: int) -> int:
    text = request.query_value(name)
    try:
        return default if text is None else int(text)
    except ValueError as error:
        raise InvalidRequest(f"{name} must be a whole number") from error


ONE = "/collections/{collection_id}"
DOCUMENTS = f"{ONE}/documents"
BAD = {400: ("Nothing to read in it", Shown("ErrorDetail"))}
ROUTES = (
    Route("POST", "/collections", create_collection, "CollectionCreate", summary="Create Collection", tags=TAGS,
          returns="Collection", status=201),
    Route("GET", "/collections", list_collections, summary="List Collections", tags=TAGS, returns="Collections"),
    Route("GET", ONE, get_collection, summary="Get Collection", tags=TAGS, returns="Collection", ticket=COLLECTIONS),
    Route("PATCH", ONE, update_collection, "CollectionUpdate", summary="Update Collection", tags=TAGS,
          returns="Collection"),
    Route("DELETE", ONE, delete_collection, summary="Delete Collection", tags=TAGS, status=204),
    Route("POST", DOCUMENTS, upload_documents, summary="Upload Documents", tags=TAGS,
          shown_body=Shown("DocumentUpload", "multipart/form-data"), returns="DocumentsAdded",
          other_answers=BAD),
    Route("GET", DOCUMENTS, list_documents, summary="List Documents", tags=TAGS, returns="Documents",
          query=(("limit", "integer"), ("offset", "integer"))),
    Route("DELETE", f"{DOCUMENTS}/{{document_id}}", delete_document, summary="Delete Document", tags=TAGS,
          returns="Success"),
    Route("POST", f"{DOCUMENTS}/search", search_documents, "DocumentSearch", summary="Search Documents", tags=TAGS,
          returns="FoundDocuments", ticket=COLLECTIONS),
)  # fmt: skip
