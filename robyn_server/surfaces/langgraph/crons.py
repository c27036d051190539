"""Routes of crons."""

from robyn_server.resources.cron import CronSearch
from robyn_server.resources.types import JsonObject
from robyn_server.surfaces.langgraph.documents import cron_document
from robyn_server.surfaces.langgraph.reading import (
    body_id,
    cron_id_first,
    descending,
    json_object,
    paging,
    path_id,
    selected,
    thread_id_first,
)
from robyn_server.web.routing import Reply, Request, Route

TAGS = ("Crons",)


async def create_cron(request: Request) -> Reply:
    """Create a cron whose runs get a thread each."""
    return Reply.json(cron_document(await request.engine.crons.create(json_object(request))))


async def create_thread_cron(request: Request) -> Reply:
    """Create a cron whose runs go to one thread."""
    thread_id = path_id(request, "thread")
    created = await request.engine.crons.create(json_object(request), thread_id=thread_id)
    return Reply.json(cron_document(created))


async def get_cron(request: Request) -> Reply:
    """Read a cron."""
    return Reply.json(cron_document(await request.engine.crons.get(path_id(request, "cron"))))


async def update_cron(request: Request) -> Reply:
    """Change a cron."""
    cron_id = path_id(request, "cron")
    return Reply.json(cron_document(await request.engine.crons.update(cron_id, json_object(request))))


async def delete_cron(request: Request) -> Reply:
    """Delete a cron."""
    await request.engine.crons.delete(path_id(request, "cron"))
    return Reply.empty()


async def search_crons(request: Request) -> Reply:
    """Search crons."""
    body = json_object(request)
    query = _query(body)
    page = await request.engine.crons.search(query)
    documents = [selected(cron_document(cron), body.get("select")) for cron in page.items]
    return Reply.json(documents, headers=paging(page, query.limit, query.offset))


async def count_crons(request: Request) -> Reply:
    """Count crons."""
    return Reply.json(await request.engine.crons.count(_query(json_object(request))))


def _query(body: JsonObject) -> CronSearch:
    sort_by = body.get("sort_by", "created_at")
    return CronSearch(
        metadata=body.get("metadata", {}),
        assistant_id=body_id(body, "assistant"),
        thread_id=body_id(body, "thread"),
        enabled=body.get("enabled"),
        limit=int(body.get("limit", 10)),
        offset=int(body.get("offset", 0)),
        sort_by="next_run_at" if sort_by == "next_run_date" else sort_by,
        descending=descending(body),
    )


ROUTES = (
    Route(
        "POST", "/runs/crons", create_cron, "CronCreate",
        summary="Create Cron", tags=TAGS, returns="Cron",
    ),
    Route(
        "POST", "/threads/{thread_id}/runs/crons", create_thread_cron, "ThreadCronCreate",
        summary="Create Thread Cron", tags=TAGS, returns="Cron", before_body=thread_id_first,
    ),
    Route(
        "POST", "/runs/crons/search", search_crons, "CronSearch",
        summary="Search Crons", tags=TAGS, returns="Crons",
    ),
    Route(
        "POST", "/runs/crons/count", count_crons, "CronCountRequest",
        summary="Count Crons", tags=TAGS, returns="Count",
    ),
    Route("GET", "/runs/crons/{cron_id}", get_cron, summary="Get Cron", tags=TAGS, returns="Cron"),
    Route(
        "PATCH", "/runs/crons/{cron_id}", update_cron, "CronPatch",
        summary="Update Cron", tags=TAGS, returns="Cron", before_body=cron_id_first,
    ),
    Route("DELETE", "/runs/crons/{cron_id}", delete_cron, summary="Delete Cron", tags=TAGS, status=204),
)  # fmt: skip
