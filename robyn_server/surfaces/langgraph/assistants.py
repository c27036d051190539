"""Routes of assistants."""

from robyn_server.errors import Unprocessable
from robyn_server.resources.assistant import AssistantSearch
from robyn_server.resources.types import JsonObject
from robyn_server.surfaces.langgraph.documents import assistant_document, version_document
from robyn_server.surfaces.langgraph.reading import (
    assistant_id_first,
    body_id,
    descending,
    json_object,
    paging,
    path_id,
    query_flag,
    selected,
)
from robyn_server.surfaces.langgraph.schemas import check_config
from robyn_server.web.routing import Reply, Request, Route

TAGS = ("Assistants",)


async def create_assistant(request: Request) -> Reply:
    """Create an assistant."""
    body = json_object(request)
    check_config(body)
    given = {
        key: body[key]
        for key in ("config", "context", "metadata", "if_exists", "name", "description")
        if key in body
    }
    created = await request.engine.assistants.create(
        body["graph_id"], assistant_id=body_id(body, "assistant"), **given
    )
    return Reply.json(assistant_document(created))


async def get_assistant(request: Request) -> Reply:
    """Read an assistant."""
    found = await request.engine.assistants.get(path_id(request, "assistant"))
    return Reply.json(assistant_document(found))


async def update_assistant(request: Request) -> Reply:
    """Change an assistant; every change is a new version."""
    assistant_id, body = path_id(request, "assistant"), json_object(request)
    check_config(body)
    given = {
        key: body[key]
        for key in ("graph_id", "config", "context", "metadata", "name", "description")
        if key in body
    }
    return Reply.json(assistant_document(await request.engine.assistants.update(assistant_id, **given)))


async def delete_assistant(request: Request) -> Reply:
    """Delete an assistant, with its threads when asked."""
    delete_threads = (request.query_value("delete_threads") or "").lower() == "true"
    await request.engine.assistants.delete(path_id(request, "assistant"), delete_threads=delete_threads)
    return Reply.empty()


async def search_assistants(request: Request) -> Reply:
    """Search assistants."""
    body = json_object(request)
    query = _query(body)
    page = await request.engine.assistants.search(query)
    documents = [selected(assistant_document(one), body.get("select")) for one in page.items]
    return Reply.json(documents, headers=paging(page, query.limit, query.offset))


async def count_assistants(request: Request) -> Reply:
    """Count assistants."""
    return Reply.json(await request.engine.assistants.count(_query(json_object(request))))


async def list_versions(request: Request) -> Reply:
    """List the versions of an assistant, newest first."""
    assistant_id, body = path_id(request, "assistant"), json_object(request)
    versions = await request.engine.assistants.versions(
        assistant_id,
        metadata=body.get("metadata"),
        limit=int(body.get("limit", 10)),
        offset=int(body.get("offset", 0)),
    )
    return Reply.json([version_document(version) for version in versions])


async def set_latest_version(request: Request) -> Reply:
    """Go back to an earlier version."""
    version = json_object(request).get("version")
    found = await request.engine.assistants.set_latest(
        path_id(request, "assistant"), None if version is None else int(version)
    )
    return Reply.json(assistant_document(found))


async def get_graph(request: Request) -> Reply:
    """The nodes and edges of an assistant's graph."""
    xray = _xray(request.query_value("xray"))
    return Reply.json(await request.engine.assistants.graph(request.path_params["assistant_id"], xray=xray))


async def get_schemas(request: Request) -> Reply:
    """The JSON schemas of an assistant's graph."""
    return Reply.json(await request.engine.assistants.schemas(path_id(request, "assistant")))


async def get_subgraphs(request: Request) -> Reply:
    """The JSON schemas of the graphs inside a graph."""
    found = await request.engine.assistants.subgraphs(
        path_id(request, "assistant"),
        namespace=request.path_params.get("namespace"),
        recurse=query_flag(request, "recurse"),
    )
    return Reply.json(found)


def _query(body: JsonObject) -> AssistantSearch:
    return AssistantSearch(
        metadata=body.get("metadata", {}),
        graph_id=body.get("graph_id"),
        name=body.get("name"),
        limit=int(body.get("limit", 10)),
        offset=int(body.get("offset", 0)),
        sort_by=body.get("sort_by", "created_at"),
        descending=descending(body),
    )


def _xray(text: str | None) -> bool | int:
    if text in (None, "", "false", "False"):
        return False
    if text in ("true", "True"):
        return True
    try:
        depth = int(str(text))
    except ValueError:
        depth = 0
    if depth < 1:
        raise Unprocessable("Invalid xray value")
    return depth


ROUTES = (
    Route(
        "POST", "/assistants", create_assistant, "AssistantCreate",
        summary="Create Assistant", tags=TAGS, returns="Assistant",
    ),
    Route(
        "POST", "/assistants/search", search_assistants, "AssistantSearchRequest",
        summary="Search Assistants", tags=TAGS, returns="Assistants",
    ),
    Route(
        "POST", "/assistants/count", count_assistants, "AssistantCountRequest",
        summary="Count Assistants", tags=TAGS, returns="Count",
    ),
    Route(
        "GET", "/assistants/{assistant_id}", get_assistant,
        summary="Get Assistant", tags=TAGS, returns="Assistant",
    ),
    Route(
        "PATCH", "/assistants/{assistant_id}", update_assistant, "AssistantPatch",
        summary="Patch Assistant", tags=TAGS, returns="Assistant", before_body=assistant_id_first,
    ),
    Route(
        "DELETE", "/assistants/{assistant_id}", delete_assistant,
        summary="Delete Assistant", tags=TAGS, status=204, query=(("delete_threads", "boolean"),),
    ),
    Route(
        "GET", "/assistants/{assistant_id}/graph", get_graph,
        summary="Get Assistant Graph", tags=TAGS, returns="GraphDrawing", query=(("xray", "string"),),
    ),
    Route(
        "GET", "/assistants/{assistant_id}/subgraphs", get_subgraphs,
        summary="Get Assistant Subgraphs", tags=TAGS, returns="Subgraphs", query=(("recurse", "boolean"),),
    ),
    Route(
        "GET", "/assistants/{assistant_id}/subgraphs/{namespace}", get_subgraphs,
        summary="Get Assistant Subgraphs by Namespace", tags=TAGS, returns="Subgraphs",
        query=(("recurse", "boolean"),),
    ),
    Route(
        "GET", "/assistants/{assistant_id}/schemas", get_schemas,
        summary="Get Assistant Schemas", tags=TAGS, returns="GraphSchema",
    ),
    Route(
        "POST", "/assistants/{assistant_id}/versions", list_versions, "AssistantVersionsSearchRequest",
        summary="Get Assistant Versions", tags=TAGS, returns="AssistantVersions",
        before_body=assistant_id_first,
    ),
    Route(
        "POST", "/assistants/{assistant_id}/latest", set_latest_version, "AssistantVersionChange",
        summary="Set Latest Assistant Version", tags=TAGS, returns="Assistant",
    ),
)  # fmt: skip
