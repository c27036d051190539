"""Routes of threads as rows."""

from robyn_server.engine.thread_ttl import thread_ttl
from robyn_server.resources.thread import Thread, ThreadSearch
from robyn_server.resources.types import JsonObject
from robyn_server.surfaces.langgraph.documents import thread_document
from robyn_server.surfaces.langgraph.extraction import check_extract, extracted, needs_values
from robyn_server.surfaces.langgraph.reading import (
    body_id,
    descending,
    json_object,
    must_be_id,
    paging,
    path_id,
    plain_id,
    selected,
    thread_id_first,
)
from robyn_server.web.routing import Reply, Request, Route

TAGS = ("Threads",)


async def create_thread(request: Request) -> Reply:
    """Create a thread, with a state of its own when `supersteps` are given."""
    body, engine = json_object(request), request.engine
    created = await engine.threads.create(
        thread_id=body_id(body, "thread"),
        metadata=body.get("metadata"),
        if_exists=body.get("if_exists", "raise"),
        ttl=thread_ttl(body.get("ttl")),
    )
    if not body.get("supersteps"):
        return Reply.json(thread_document(created))
    problem = engine.threads.graph_problem(created)
    if problem is not None:
        text = (
            f"Thread {created.thread_id} was created, but there were problems updating the state: {problem}"
        )
        return Reply.json({"detail": text}, 201)
    await engine.states.bulk_update(created.thread_id, body["supersteps"])
    return Reply.json(thread_document(await engine.threads.get(created.thread_id)))


async def get_thread(request: Request) -> Reply:
    """Read a thread."""
    return Reply.json(thread_document(await request.engine.threads.get(path_id(request, "thread"))))


async def update_thread(request: Request) -> Reply:
    """Merge metadata into a thread."""
    thread_id, body = path_id(request, "thread"), json_object(request)
    updated = await request.engine.threads.update(
        thread_id, metadata=body.get("metadata"), ttl=thread_ttl(body.get("ttl"))
    )
    if "return=minimal" in request.headers.get("prefer", ""):
        return Reply.empty()
    return Reply.json(thread_document(updated))


async def delete_thread(request: Request) -> Reply:
    """Delete a thread with its runs, state and crons."""
    await request.engine.threads.delete(path_id(request, "thread"))
    return Reply.empty()


async def copy_thread(request: Request) -> Reply:
    """Copy a thread with its state, without its runs."""
    copied = await request.engine.threads.copy(plain_id(request.path_params["thread_id"]))
    return Reply.json(thread_document(copied))


async def prune_threads(request: Request) -> Reply:
    """Delete threads, or all but their newest state."""
    body = json_object(request)
    thread_ids = [must_be_id(text, "thread") for text in body["thread_ids"]]
    pruned = await request.engine.threads.prune(thread_ids, body.get("strategy", "delete"))
    return Reply.json({"pruned_count": pruned})


async def search_threads(request: Request) -> Reply:
    """Search threads."""
    body = json_object(request)
    select, extract = body.get("select"), body.get("extract") or {}
    check_extract(extract)
    query = _query(body, with_values=not select or "values" in select or needs_values(extract))
    page = await request.engine.threads.search(query)
    documents = [_found(thread, select, extract) for thread in page.items]
    return Reply.json(documents, headers=paging(page, query.limit, query.offset))


async def count_threads(request: Request) -> Reply:
    """Count threads."""
    query = _query(json_object(request), with_values=False)
    return Reply.json(await request.engine.threads.count(query))


async def get_storage(request: Request) -> Reply:
    """How many bytes the checkpoints of a thread take."""
    return Reply.json(await request.engine.threads.storage(path_id(request, "thread")))


def _found(thread: Thread, select: list[str] | None, extract: JsonObject) -> JsonObject:
    document = selected(thread_document(thread), select)
    return {**document, "extracted": extracted(thread, extract)} if extract else document


def _query(body: JsonObject, *, with_values: bool) -> ThreadSearch:
    return ThreadSearch(
        metadata=body.get("metadata", {}),
        values=body.get("values", {}),
        status=body.get("status"),
        ids=tuple(body.get("ids", ())),
        limit=int(body.get("limit", 10)),
        offset=int(body.get("offset", 0)),
        sort_by=body.get("sort_by", "updated_at"),
        descending=descending(body),
        with_values=with_values,
    )


ROUTES = (
    Route(
        "POST", "/threads", create_thread, "ThreadCreate",
        summary="Create Thread", tags=TAGS, returns="Thread",
    ),
    Route(
        "POST", "/threads/search", search_threads, "ThreadSearchRequest",
        summary="Search Threads", tags=TAGS, returns="Threads",
    ),
    Route(
        "POST", "/threads/count", count_threads, "ThreadCountRequest",
        summary="Count Threads", tags=TAGS, returns="Count",
    ),
    Route(
        "POST", "/threads/prune", prune_threads, "ThreadPruneRequest",
        summary="Prune Threads", tags=TAGS, returns="ThreadPruneResponse",
    ),
    Route(
        "GET", "/threads/{thread_id}", get_thread,
        summary="Get Thread", tags=TAGS, returns="Thread", query=(("include", "string"),),
    ),
    Route(
        "PATCH", "/threads/{thread_id}", update_thread, "ThreadPatch",
        summary="Patch Thread", tags=TAGS, returns="Thread", before_body=thread_id_first,
    ),
    Route("DELETE", "/threads/{thread_id}", delete_thread, summary="Delete Thread", tags=TAGS, status=204),
    Route(
        "POST", "/threads/{thread_id}/copy", copy_thread,
        summary="Copy Thread", tags=TAGS, returns="Thread",
    ),
    Route(
        "GET", "/threads/{thread_id}/storage", get_storage,
        summary="Get Thread Storage", tags=TAGS, returns="ThreadStorage",
    ),
)  # fmt: skip
