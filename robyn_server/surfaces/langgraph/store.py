"""Routes of the store."""

from robyn_server.errors import Unprocessable
from robyn_server.surfaces.langgraph.documents import found_item_document, item_document
from robyn_server.surfaces.langgraph.reading import bad_label, json_object, query_flag
from robyn_server.web.routing import Reply, Request, Route

TAGS = ("Store",)


async def put_item(request: Request) -> Reply:
    """Create or replace an item."""
    body = json_object(request)
    if refusal := bad_label(body["namespace"]):
        return refusal
    ttl = body.get("ttl")
    await request.engine.store.put(
        body["namespace"],
        body["key"],
        body["value"],
        index=body.get("index"),
        ttl=None if ttl is None else float(ttl),
    )
    return Reply.empty()


async def get_item(request: Request) -> Reply:
    """Read an item; null when there is none."""
    namespace = (request.query_value("namespace") or "").split(".")
    if refusal := bad_label(namespace):
        return refusal
    key = request.query_value("key")
    if not key:
        return Reply.json({"error": "Key is required"}, 400)
    refresh_ttl = True if query_flag(request, "refresh_ttl") else None
    item = await request.engine.store.get(namespace, key, refresh_ttl=refresh_ttl)
    return Reply.json(None if item is None else item_document(item))


async def delete_item(request: Request) -> Reply:
    """Delete an item, if it is there."""
    body = json_object(request)
    namespace = body.get("namespace", [])
    if refusal := bad_label(namespace):
        return refusal
    await request.engine.store.delete(namespace, body["key"])
    return Reply.empty()


async def search_items(request: Request) -> Reply:
    """Search items below a namespace, by filter and by meaning."""
    body = json_object(request)
    prefix = body.get("namespace_prefix")
    if prefix is None:
        raise Unprocessable('"namespace_prefix" is a required property')
    if refusal := bad_label(prefix):
        return refusal
    found = await request.engine.store.search(
        prefix,
        filter=body.get("filter"),
        limit=int(body.get("limit", 10)),
        offset=int(body.get("offset", 0)),
        query=body.get("query"),
        refresh_ttl=body.get("refresh_ttl"),
    )
    return Reply.json({"items": [found_item_document(item) for item in found]})


async def list_namespaces(request: Request) -> Reply:
    """List the namespaces in use."""
    body = json_object(request)
    prefix, suffix = body.get("prefix"), body.get("suffix")
    if refusal := bad_label(prefix, suffix):
        return refusal
    found = await request.engine.store.namespaces(
        prefix=prefix,
        suffix=suffix,
        max_depth=int(body["max_depth"]) if "max_depth" in body else None,
        limit=int(body.get("limit", 100)),
        offset=int(body.get("offset", 0)),
    )
    return Reply.json({"namespaces": [list(namespace) for namespace in found]})


ROUTES = (
    Route(
        "PUT", "/store/items", put_item, "StorePutRequest",
        summary="Store or update an item", tags=TAGS, status=204,
    ),
    Route(
        "DELETE", "/store/items", delete_item, "StoreDeleteRequest",
        summary="Delete an item", tags=TAGS, status=204,
    ),
    Route(
        "GET", "/store/items", get_item,
        summary="Retrieve a single item", tags=TAGS, returns="Item",
        query=(("key", "string"), ("namespace", "string"), ("refresh_ttl", "boolean")),
    ),
    Route(
        "POST", "/store/items/search", search_items, "StoreSearchRequest",
        summary="Search for items in a namespace prefix", tags=TAGS, returns="SearchItemsResponse",
    ),
    Route(
        "POST", "/store/namespaces", list_namespaces, "StoreListNamespacesRequest",
        summary="List namespaces", tags=TAGS, returns="ListNamespaceResponse",
    ),
)  # fmt: skip
