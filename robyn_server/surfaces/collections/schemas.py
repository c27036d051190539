"""Bodies and answers."""

from collections.abc import Mapping

from robyn_server.resources.types import Json

METADATA: Json = {"type": ["object", "null"], "description": "Whatever the client wants to remember."}
NAME: Json = {"type": "string", "minLength": 1}
TEXT: Json = {"type": "string"}
DOCUMENT: Json = {
    "type": "object",
    "properties": {
        "id": TEXT,
        "collection_id": TEXT,
        "content": TEXT,
        "metadata": METADATA,
        "created_at": {"type": "string", "format": "date-time"},
        "updated_at": {"type": "string", "format": "date-time"},
    },
}
FOUND: Json = {
    "type": "object",
    "properties": {"id": TEXT, "page_content": TEXT, "metadata": METADATA, "score": {"type": "number"}},
}

SCHEMAS: Mapping[str, Json] = {
    "CollectionCreate": {
        "type": "object",
        "title": "CollectionCreate",
        "properties": {"name": NAME, "metadata": METADATA},
        "required": ["name"],
    },
    "CollectionUpdate": {
        "type": "object",
        "title": "CollectionUpdate",
        "properties": {"name": {"type": ["string", "null"], "minLength": 1}, "metadata": METADATA},
    },
    "DocumentSearch": {
        "type": "object",
        "title": "DocumentSearch",
        "properties": {
            "query": {"type": "string"},
            "limit": {"type": ["integer", "null"], "minimum": 1, "maximum": 100, "default": 10},
            "filter": {"type": ["object", "null"], "description": "What the metadata of a piece must hold."},
        },
        "required": ["query"],
    },
    "Collection": {
        "type": "object",
        "title": "Collection",
        "properties": {"uuid": {"type": "string", "format": "uuid"}, "name": NAME, "metadata": METADATA},
        "required": ["uuid", "name", "metadata"],
    },
    "Collections": {"type": "array", "items": {"$ref": "#/components/schemas/Collection"}},
    "DocumentUpload": {
        "type": "object",
        "title": "DocumentUpload",
        "properties": {
            "files": {
                "type": "array",
                "items": {"type": "string", "contentMediaType": "application/octet-stream"},
                "minItems": 1,
            },
            "metadatas_json": {"type": "string", "description": "A list of objects, one a file, as JSON."},
        },
        "required": ["files"],
    },
    "DocumentsAdded": {
        "type": "object",
        "properties": {
            "success": {"type": "boolean"},
            "message": {"type": "string"},
            "added_chunk_ids": {"type": "array", "items": {"type": "string"}},
            "warnings": {"type": "string", "description": "What could not be read."},
        },
        "required": ["success", "message", "added_chunk_ids"],
    },
    "Documents": {"type": "array", "items": DOCUMENT},
    "FoundDocuments": {"type": "array", "items": FOUND},
    "Success": {"type": "object", "properties": {"success": {"type": "boolean"}}, "required": ["success"]},
}
