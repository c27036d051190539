"""Bodies of the store routes."""

from robyn_server.surfaces.langgraph.schemas.shapes import (
    anything,
    array,
    body,
    nullable,
    storable,
    string,
)

NAMESPACE = array(string(), "Labels from the outermost in.")

STORE = {
    "StorePutRequest": body(
        {
            "namespace": NAMESPACE,
            "key": string("Its name in the namespace."),
            "value": anything("What is stored."),
            "index": {
                "oneOf": [
                    {"type": "boolean", "enum": [False]},
                    array(string()),
                    {"type": "null"},
                ],
                "default": None,
                "description": "Paths to search by meaning, false for none; null means the store's own.",
            },
            "ttl": nullable("number", "Minutes until it is forgotten.", default=None),
        },
        "namespace",
        "key",
        "value",
    ),
    "StoreDeleteRequest": body({"namespace": NAMESPACE, "key": string("Its name.")}, "key"),
    "StoreSearchRequest": body(
        {
            "namespace_prefix": nullable("array", "Where to search.", items=string()),
            "filter": nullable(
                "object", "Field -> value, or `$eq $ne $gt $gte $lt $lte`.", additionalProperties=True
            ),
            "limit": storable("How many to return at most.", default=10),
            "offset": storable("How many to step over.", default=0),
            "query": nullable("string", "What to look for by meaning."),
            "refresh_ttl": nullable("boolean", "Whether reading counts as use.", default=None),
        }
    ),
    "StoreListNamespacesRequest": body(
        {
            "prefix": array(string(), "Labels the namespace starts with; `*` stands for any."),
            "suffix": array(string(), "Labels the namespace ends with; `*` stands for any."),
            "max_depth": storable("Cut namespaces to so many labels."),
            "limit": storable("How many to return at most.", default=100),
            "offset": storable("How many to step over.", default=0),
        }
    ),
}
