"""THE table: what every route answers to a stranger, to the owner and to the operator. A route without a row fails."""

from typing import Any

from robyn_server.resources.ids import system_assistant_id
from tests.auth.isolation_scene import HELLO, MARK, Ask, Row

PUBLIC = {("GET", path) for path in ("/", "/ok", "/health", "/info", "/metrics", "/docs", "/openapi.json")}

ECHO = system_assistant_id("echo")
CARD = "/.well-known/agent-card.json"
MCP = {"accept": "application/json, text/event-stream"}
YEARLY = {"schedule": "0 0 1 1 *"}


def rpc(method: str, params: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}


def message(**more: str) -> dict[str, Any]:
    return {"message": {"role": "user", "messageId": "m", "parts": [{"kind": "text", "text": MARK}], **more}}


def counts(text: str) -> bool:
    return int(text) > 0


def started(text: str) -> bool:
    return '"success"' in text


def listed(text: str) -> bool:
    return '"totalSize":0' not in text and worked(text)


def worked(text: str) -> bool:
    return '"result"' in text


def assistant(method: str, rest: str, json: Any = None, owner: int = 200, **more: Any) -> Row:
    """A route below /assistants/{assistant_id}: a stranger's 404."""
    path = f"/assistants/{{assistant_id}}{rest}"
    return Row(
        method, path, lambda it: Ask(f"/assistants/{it.assistant}{rest}", json), 404, owner, owner, **more
    )


def thread(
    method: str, rest: str, json: Any = None, owner: int = 200, stranger: int = 404, **more: Any
) -> Row:
    """A route below /threads/{thread_id}; `json` may be a function of the things."""
    return Row(
        method,
        f"/threads/{{thread_id}}{rest}",
        lambda it: Ask(f"/threads/{it.thread}{rest}", json(it) if callable(json) else json),
        stranger, owner, owner, **more,
    )  # fmt: skip


def run(method: str, rest: str, owner: int = 200, **more: Any) -> Row:
    """A route below /threads/{thread_id}/runs/{run_id}."""
    return Row(
        method,
        f"/threads/{{thread_id}}/runs/{{run_id}}{rest}",
        lambda it: Ask(f"/threads/{it.thread}/runs/{it.run}{rest}"),
        404, owner, owner, **more,
    )  # fmt: skip


def cron(method: str, json: Any = None, owner: int = 200, **more: Any) -> Row:
    return Row(
        method,
        "/runs/crons/{cron_id}",
        lambda it: Ask(f"/runs/crons/{it.cron}", json),
        404,
        owner,
        owner,
        **more,
    )


def search(path: str, things: str, body: Any = None, **more: Any) -> Row:
    """A search over everything: everybody may, and finds his own."""

    def ask(it: Any) -> Ask:
        getattr(it, things)
        return Ask(path, {"metadata": {"mark": MARK}, **(body or {})})

    more.setdefault("hers_shows", True)
    return Row("POST", path, ask, 200, 200, 200, like_nothing=False, **more)


def anybody(method: str, path: str, json: Any = None, status: int = 200, **more: Any) -> Row:
    """A route that touches nothing of anybody's."""
    return Row(method, path, lambda it: Ask(path, json, headers=MCP), status, status, status, like_nothing=False,
               seen=lambda _: False, **more)  # fmt: skip


def a2a(method: str, params: Any, seen: Any = worked, **more: Any) -> Row:
    return Row(
        "POST",
        "/a2a/{assistant_id}",
        lambda it: Ask(f"/a2a/{it.assistant}", rpc(method, params(it)), headers=MCP),
        200, 200, 200, seen=seen, hers_shows=True, **more,
    )  # fmt: skip


def card(rest: str) -> Row:
    return Row(
        "GET", f"/a2a/{{assistant_id}}{rest}", lambda it: Ask(f"/a2a/{it.assistant}{rest}"),
        400, 200, 200, hers_shows=True,
    )  # fmt: skip


def command(method: str, params: Any, thread_of: Any = lambda it: it.thread, **more: Any) -> Row:
    return Row(
        "POST",
        "/threads/{thread_id}/commands",
        lambda it: Ask(
            f"/threads/{thread_of(it)}/commands", {"id": 1, "method": method, "params": params(it)}
        ),
        200, 200, 200, seen=started, hers_shows=True, **more,
    )  # fmt: skip


def stateless(path: str, wrap: Any = lambda body: body) -> Row:
    """A run without a thread, on Ann's assistant."""
    return Row(
        "POST",
        path,
        lambda it: Ask(path, wrap({"assistant_id": it.assistant, "input": HELLO})),
        404,
        200,
        200,
    )


def item(method: str, stranger: int, owner: int, json: Any = None, **more: Any) -> Row:
    """The store items of Ann's namespace."""
    return Row(
        method,
        "/store/items",
        lambda it: Ask(
            "/store/items",
            {"namespace": [it.owner, "notes"], "key": it.item, **json} if json is not None else None,
            {} if json is not None else {"namespace": f"{it.owner}.notes", "key": it.item},
        ),
        stranger, owner, owner, **more,
    )  # fmt: skip


def collection(
    method: str, rest: str, json: Any = None, owner: int = 200, stranger: int = 404, **more: Any
) -> Row:
    path = f"/collections/{{collection_id}}{rest}"
    return Row(
        method,
        path,
        lambda it: Ask(f"/collections/{it.collection}{rest}", json),
        stranger,
        owner,
        owner,
        **more,
    )


RUN = {"assistant_id": "echo", "input": HELLO}
STATE = {"values": HELLO, "as_node": "echo"}

ROWS = (
    anybody("POST", "/assistants", {"graph_id": "echo"}),
    search("/assistants/search", "assistant"),
    search("/assistants/count", "assistant", seen=counts),
    assistant("GET", "", hers_shows=True),
    assistant("PATCH", "", {"name": "taken"}),
    assistant("DELETE", "", owner=204),
    assistant("GET", "/graph"),
    assistant("GET", "/schemas"),
    assistant("GET", "/subgraphs"),
    Row(
        "GET", "/assistants/{assistant_id}/subgraphs/{namespace}",
        lambda it: Ask(f"/assistants/{it.assistant}/subgraphs/child"), 404, 200, 200,
    ),
    assistant("POST", "/versions", {}, hers_shows=True),
    assistant("POST", "/latest", {"version": 1}),

    anybody("POST", "/threads", {}),
    search("/threads/search", "thread"),
    search("/threads/count", "thread", seen=counts),
    Row(
        "POST", "/threads/search", lambda it: Ask("/threads/search", {"ids": [it.thread]}),
        200, 200, 200, hers_shows=True,
    ),
    Row("POST", "/threads/prune", lambda it: Ask("/threads/prune", {"thread_ids": [it.thread]}), 404, 200, 200),
    thread("GET", "", hers_shows=True),
    thread("PATCH", "", {"metadata": {"a": 1}}),
    thread("DELETE", "", owner=204),
    # The reference's answer to a copy of nothing.
    thread("POST", "/copy", stranger=409, hers_shows=True),
    thread("GET", "/state", hers_shows=True),
    thread("POST", "/state", STATE),
    thread("POST", "/state/checkpoint", lambda it: {"checkpoint": {"checkpoint_id": it.checkpoint}}, hers_shows=True),
    Row(
        "GET", "/threads/{thread_id}/state/{checkpoint_id}",
        lambda it: Ask(f"/threads/{it.thread}/state/{it.checkpoint}"), 404, 200, 200, hers_shows=True,
    ),
    thread("GET", "/history", hers_shows=True),
    thread("POST", "/history", {}, hers_shows=True),
    thread("GET", "/storage"),
    thread("GET", "/stream", endless=True),
    # Silent for a thread that does not exist, so for somebody else's too.
    thread("POST", "/stream/events", {"channels": ["values"]}, stranger=200, endless=True),
    # A thread that does not exist is made by these, so nobody's is not like Ann's.
    command("run.start", lambda it: {"assistant_id": "echo", "input": HELLO}, like_nothing=False),
    command("run.start", lambda it: {"assistant_id": it.assistant, "input": HELLO}, like_nothing=False),
    command("input.respond", lambda it: {"interrupt_id": it.interrupt, "response": "yes"}, lambda it: it.asking_thread),

    thread("GET", "/runs", hers_shows=True),
    thread("POST", "/runs", RUN),
    thread("POST", "/runs", {**RUN, "if_not_exists": "create"}, like_nothing=False),
    thread("POST", "/runs/stream", RUN),
    thread("POST", "/runs/wait", RUN),
    run("GET", "", hers_shows=True),
    run("DELETE", "", owner=204),
    Row(
        "POST", "/threads/{thread_id}/runs/{run_id}/cancel",
        lambda it: Ask(f"/threads/{it.busy_thread}/runs/{it.busy_run}/cancel"), 404, 202, 202,
    ),
    run("GET", "/join", hers_shows=True),
    run("GET", "/stream"),
    Row(
        "GET", "/threads/{thread_id}/runs/{run_id}/stream",
        lambda it: Ask(f"/threads/{it.thread}/runs/{it.run}/stream", headers={"last-event-id": "-"}),
        404, 200, 200, hers_shows=True,
    ),
    stateless("/runs"),
    stateless("/runs/stream"),
    stateless("/runs/wait"),
    stateless("/runs/batch", lambda body: [body]),
    Row(
        "POST", "/runs/cancel",
        lambda it: Ask("/runs/cancel", {"thread_id": it.busy_thread, "run_ids": [it.busy_run]}), 404, 204, 204,
    ),
    # Nobody has runs that go on but Ann.
    Row("POST", "/runs/cancel", lambda it: Ask("/runs/cancel", {"status": "all"}, {"of": it.busy_run}), 404, 204, 204),

    anybody("POST", "/runs/crons", {"assistant_id": "echo", **YEARLY}),
    Row("POST", "/runs/crons", lambda it: Ask("/runs/crons", {"assistant_id": it.assistant, **YEARLY}), 404, 200, 200),
    thread("POST", "/runs/crons", {"assistant_id": "echo", **YEARLY}),
    search("/runs/crons/search", "cron"),
    search("/runs/crons/count", "cron", seen=counts),
    cron("GET", hers_shows=True),
    cron("PATCH", {"schedule": "0 0 2 1 *"}),
    cron("DELETE", owner=204),

    item("PUT", 403, 204, {"value": {"text": "taken"}}),
    item("GET", 200, 200, hers_shows=True),
    item("DELETE", 403, 204, {}),
    Row(
        "POST", "/store/items/search",
        lambda it: Ask("/store/items/search", {"namespace_prefix": [it.owner]}, {"of": it.item}),
        200, 200, 200, hers_shows=True,
    ),
    Row(
        "POST", "/store/items/search",
        lambda it: Ask("/store/items/search", {"namespace_prefix": [], "query": MARK}, {"of": it.item}),
        200, 200, 200, hers_shows=True,
    ),
    Row(
        "POST", "/store/namespaces", lambda it: Ask("/store/namespaces", {}, {"of": it.item}),
        200, 200, 200, seen=lambda text: "notes" in text, hers_shows=True,
    ),
    Row(
        "POST", "/store/namespaces", lambda it: Ask("/store/namespaces", {"suffix": ["notes"]}, {"of": it.item}),
        200, 200, 200, seen=lambda text: "notes" in text, hers_shows=True,
    ),

    Row(
        "POST", "/mcp/", lambda it: Ask("/mcp", rpc("tools/list", {}), {"of": it.assistant}, MCP),
        200, 200, 200, hers_shows=True,
    ),
    Row(
        "POST", "/mcp/",
        lambda it: Ask("/mcp", rpc("tools/call", {"name": MARK, "arguments": HELLO}), {"of": it.assistant}, MCP),
        200, 200, 200, seen=worked, like_nothing=False,
    ),
    anybody("GET", "/mcp/", status=405),
    anybody("DELETE", "/mcp/", status=404),

    a2a("message/send", lambda it: message()),
    a2a("message/stream", lambda it: message()),
    a2a("tasks/get", lambda it: {"id": f"{it.thread}:{it.run}", "contextId": it.thread}),
    a2a("ListTasks", lambda it: {"contextId": it.thread}, listed),
    Row(
        "POST", "/a2a/{assistant_id}",
        lambda it: Ask(f"/a2a/{ECHO}", rpc("message/send", message(contextId=it.thread)), headers=MCP),
        200, 200, 200, seen=worked, like_nothing=False,
    ),
    Row(
        "POST", "/a2a/{assistant_id}",
        lambda it: Ask(f"/a2a/{ECHO}", rpc("ListTasks", {"contextId": it.thread}), headers=MCP),
        200, 200, 200, seen=listed,
    ),
    card(""),
    card(CARD),
    card("/.well-known/agent.json"),
    Row("GET", CARD, lambda it: Ask(CARD, params={"assistant_id": it.assistant}), 400, 200, 200, hers_shows=True),
    Row("DELETE", "/a2a/{assistant_id}", lambda it: Ask(f"/a2a/{it.assistant}"), 405, 405, 405),

    anybody("POST", "/collections", {"name": "mine"}, 201),
    Row(
        "GET", "/collections", lambda it: Ask("/collections", params={"of": it.collection}),
        200, 200, 200, hers_shows=True, like_nothing=False,
    ),
    collection("GET", "", hers_shows=True),
    collection("PATCH", "", {"name": "taken"}),
    # LangConnect's answer, whether there was one or not.
    collection("DELETE", "", owner=204, stranger=204),
    collection("GET", "/documents", hers_shows=True),
    Row(
        "POST", "/collections/{collection_id}/documents",
        lambda it: Ask(f"/collections/{it.collection}/documents", files={"files": ("b.txt", b"more")}), 404, 200, 200,
    ),
    Row(
        "DELETE", "/collections/{collection_id}/documents/{document_id}",
        lambda it: Ask(f"/collections/{it.collection}/documents/{it.file}"), 404, 200, 200,
    ),
    collection("POST", "/documents/search", {"query": MARK}, hers_shows=True),

    anybody("POST", "/auth/stream-ticket", {"resource": "thread:somebodys"}, 201),
)  # fmt: skip
