"""Bodies and answers."""

from collections.abc import Mapping

from robyn_server.resources.types import Json

METADATA: Json = {"type": ["object", "null"], "description": "Whatever the client wants to remember."}
NAME: Json = {"type": "string", "minLength": 1}

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
}
