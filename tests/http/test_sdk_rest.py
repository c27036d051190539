"""Every method of the SDK that runs nothing, with its asynchronous and its synchronous client."""

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from langgraph_sdk.errors import BadRequestError, ConflictError, NotFoundError, UnprocessableEntityError

from tests.server_process import ServerProcess

UPDATES = [
    {"updates": [{"values": {"log": ["zero"]}, "as_node": "__start__"}]},
    {"updates": [{"values": {"log": ["one"]}, "as_node": "one"}]},
]


@pytest.fixture
def mark() -> str:
    """What tells a test's own things from those of others."""
    return uuid.uuid4().hex


async def test_assistants(sdk: Any, mark: str) -> None:
    made = await sdk.assistants.create(
        "steps",
        config={"configurable": {"a": 1}},
        metadata={"mark": mark},
        name=f"First {mark}",
        description="says words",
    )
    assistant_id = made["assistant_id"]
    assert (made["version"], made["graph_id"], made["description"]) == (1, "steps", "says words")
    assert made["config"] == {"configurable": {"a": 1}} and made["context"] == {"a": 1}
    assert await sdk.assistants.get(assistant_id) == made
    again = {"assistant_id": assistant_id, "if_exists": "do_nothing"}
    assert await sdk.assistants.create("echo", **again) == made
    with pytest.raises(ConflictError):
        await sdk.assistants.create("steps", assistant_id=assistant_id)

    changed = await sdk.assistants.update(
        assistant_id,
        graph_id="echo",
        context={"b": 2},
        metadata={"more": 1},
        name="Second",
        description="echoes",
    )
    assert (changed["version"], changed["graph_id"], changed["name"]) == (2, "echo", "Second")
    assert changed["metadata"] == {"mark": mark, "more": 1} and changed["context"] == {"b": 2}
    assert [v["version"] for v in await sdk.assistants.get_versions(assistant_id)] == [2, 1]
    assert [v["version"] for v in await sdk.assistants.get_versions(assistant_id, limit=1, offset=1)] == [1]
    assert len(await sdk.assistants.get_versions(assistant_id, metadata={"more": 1})) == 1
    back = await sdk.assistants.set_latest(assistant_id, 1)
    assert (back["version"], back["name"]) == (1, f"First {mark}")
    with pytest.raises(NotFoundError):
        await sdk.assistants.set_latest(assistant_id, 9)

    await sdk.assistants.delete(assistant_id)
    with pytest.raises(NotFoundError):
        await sdk.assistants.get(assistant_id)
    with pytest.raises(UnprocessableEntityError, match="must be a UUID"):
        await sdk.assistants.get("steps")


async def test_search_of_assistants(sdk: Any, mark: str) -> None:
    made = [
        (await sdk.assistants.create(graph, metadata={"mark": mark}, name=name))["assistant_id"]
        for graph, name in (("steps", f"b {mark}"), ("echo", f"a {mark}"), ("steps", f"b {mark}"))
    ]

    async def found(**asked: Any) -> list[int]:
        page = await sdk.assistants.search(metadata={"mark": mark}, **asked)
        return [made.index(assistant["assistant_id"]) for assistant in page]

    assert await found() == [2, 1, 0]
    assert await found(graph_id="steps") == [2, 0]
    assert await found(name=f"A {mark.upper()}") == [1]
    assert await found(sort_by="created_at", sort_order="asc") == [0, 1, 2]
    # Equals stand in the order they came, whichever the direction.
    assert await found(sort_by="name", sort_order="asc") == [1, 0, 2]
    assert await found(sort_by="name", sort_order="desc") == [0, 2, 1]
    assert await found(sort_by="graph_id", sort_order="desc") == [0, 2, 1]
    assert await found(limit=2, offset=1) == [1, 0]
    selected = await sdk.assistants.search(metadata={"mark": mark}, select=["name"], limit=1)
    assert selected == [{"name": f"b {mark}"}]
    page = await sdk.assistants.search(metadata={"mark": mark}, limit=2, response_format="object")
    assert (len(page["assistants"]), page["next"]) == (2, "2")
    assert await sdk.assistants.count(metadata={"mark": mark}, graph_id="steps") == 2
    assert await sdk.assistants.count(name=f"a {mark}") == 1
    for assistant_id in made:
        await sdk.assistants.delete(assistant_id, delete_threads=False)
    assert await found() == []


async def test_what_an_assistants_graph_looks_like(sdk: Any) -> None:
    (steps,) = await sdk.assistants.search(graph_id="steps", metadata={"created_by": "system"})
    assistant_id = steps["assistant_id"]
    drawing = await sdk.assistants.get_graph(assistant_id, xray=True)
    assert [node["id"] for node in drawing["nodes"]] == ["__start__", "one", "two", "three", "__end__"]
    assert {"source": "one", "target": "two"} in drawing["edges"]
    schemas = await sdk.assistants.get_schemas(assistant_id)
    assert schemas["graph_id"] == "steps" and "log" in schemas["state_schema"]["properties"]
    assert await sdk.assistants.get_subgraphs(assistant_id) == {}
    (outer,) = await sdk.assistants.search(graph_id="subgraphs", metadata={"created_by": "system"})
    inner = await sdk.assistants.get_subgraphs(outer["assistant_id"], recurse=True)
    assert inner
    name = next(iter(inner))
    assert await sdk.assistants.get_subgraphs(outer["assistant_id"], name) == {name: inner[name]}


async def test_threads(sdk: Any, mark: str) -> None:
    thread_id = str(uuid.uuid4())
    made = await sdk.threads.create(thread_id=thread_id, metadata={"mark": mark}, graph_id="steps", ttl=60)
    assert made["thread_id"] == thread_id and made["metadata"] == {"mark": mark, "graph_id": "steps"}
    assert await sdk.threads.get(thread_id) == made
    assert await sdk.threads.create(thread_id=thread_id, if_exists="do_nothing") == made
    with pytest.raises(ConflictError):
        await sdk.threads.create(thread_id=thread_id)
    changed = await sdk.threads.update(
        thread_id, metadata={"more": 1}, ttl={"ttl": 5, "strategy": "keep_latest"}
    )
    assert changed["metadata"] == {"mark": mark, "graph_id": "steps", "more": 1}
    assert await sdk.threads.update(thread_id, metadata={"most": 1}, return_minimal=True) is None
    assert (await sdk.threads.get(thread_id, include=["ttl"]))["metadata"]["most"] == 1

    copied = await sdk.threads.copy(thread_id)
    assert copied["thread_id"] != thread_id and copied["metadata"]["mark"] == mark
    assert await sdk.threads.count(metadata={"mark": mark}) == 2
    assert await sdk.threads.prune([copied["thread_id"]], strategy="keep_latest") == {"pruned_count": 1}
    assert await sdk.threads.prune([copied["thread_id"], str(uuid.uuid4())]) == {"pruned_count": 1}
    await sdk.threads.delete(thread_id)
    with pytest.raises(NotFoundError):
        await sdk.threads.get(thread_id)
    with pytest.raises(UnprocessableEntityError):
        await sdk.threads.update("abc", metadata={})


async def test_search_of_threads(sdk: Any, mark: str) -> None:
    made = [(await sdk.threads.create(metadata={"mark": mark, "n": n}))["thread_id"] for n in range(3)]
    await sdk.threads.create(metadata={"mark": mark, "n": 3}, supersteps=UPDATES, graph_id="steps")

    async def found(**asked: Any) -> list[int]:
        page = await sdk.threads.search(**{"metadata": {"mark": mark}, **asked})
        return [thread["metadata"]["n"] for thread in page]

    assert await found() == [3, 2, 1, 0]
    assert await found(sort_by="created_at", sort_order="asc") == [0, 1, 2, 3]
    assert await found(sort_by="status", sort_order="asc") == [0, 1, 2, 3]
    assert await found(sort_by="status", sort_order="desc") == [3, 0, 1, 2]
    assert await found(status="interrupted") == [3]
    assert await found(values={"log": ["zero", "one"]}) == [3]
    assert await found(metadata={"mark": mark, "n": 1}) == [1]
    assert await found(ids=[made[2], made[0]]) == [2, 0]
    assert await found(limit=2, offset=1) == [2, 1]
    selected = await sdk.threads.search(metadata={"mark": mark}, select=["status"], limit=1)
    assert selected == [{"status": "interrupted"}]
    extracted = await sdk.threads.search(
        metadata={"mark": mark, "n": 3}, select=["thread_id"], extract={"last": "values.log[-1]"}
    )
    assert extracted[0]["extracted"] == {"last": "one"}
    assert await sdk.threads.count(metadata={"mark": mark}, status="idle") == 3
    assert await sdk.threads.count(metadata={"mark": mark}, values={"log": ["zero", "one"]}) == 1


async def test_state_of_threads(sdk: Any, server: ServerProcess) -> None:
    thread = await sdk.threads.create(graph_id="steps", supersteps=UPDATES)
    thread_id = thread["thread_id"]
    state = await sdk.threads.get_state(thread_id, subgraphs=True)
    assert (state["values"], state["next"]) == ({"log": ["zero", "one"]}, ["two"])
    written = await sdk.threads.update_state(thread_id, {"log": ["2"]}, as_node="two")
    assert (await sdk.threads.get_state(thread_id))["values"] == {"log": ["zero", "one", "2"]}
    at = written["checkpoint"]["checkpoint_id"]
    assert (await sdk.threads.get_state(thread_id, checkpoint_id=at))["next"] == ["three"]
    assert (await sdk.threads.get_state(thread_id, checkpoint=written["checkpoint"]))["next"] == ["three"]

    history = await sdk.threads.get_history(thread_id)
    assert history[0]["values"] == {"log": ["zero", "one", "2"]}
    assert await sdk.threads.get_history(thread_id, limit=1) == history[:1]
    assert await sdk.threads.get_history(thread_id, before=history[0]["checkpoint"]) == history[1:]
    assert await sdk.threads.get_history(thread_id, metadata={"source": "nowhere"}) == []
    forked = await sdk.threads.update_state(
        thread_id, {"log": ["fork"]}, as_node="two", checkpoint=history[1]["checkpoint"]
    )
    assert forked["checkpoint"]["checkpoint_id"] != at
    assert (await sdk.threads.get_state(thread_id))["values"] == {"log": ["zero", "one", "fork"]}
    with pytest.raises(BadRequestError):
        await sdk.threads.update_state((await sdk.threads.create())["thread_id"], {"log": []})
    with server.http() as http:
        weight = http.get(f"/threads/{thread_id}/storage").json()
    assert weight["thread_id"] == thread_id and weight["total_bytes"] > 0


async def test_store(sdk: Any, mark: str) -> None:
    store = sdk.store
    await store.put_item([mark, "a"], "k", {"n": 1, "text": "red"})
    await store.put_item([mark, "a"], "l", {"n": 2, "text": "blue"}, index=False, ttl=10)
    await store.put_item([mark, "b", "c"], "m", {"n": 3}, index=["text"])
    item = await store.get_item([mark, "a"], "k")
    assert (item["namespace"], item["key"], item["value"]) == ([mark, "a"], "k", {"n": 1, "text": "red"})
    await store.put_item([mark, "a"], "k", {"n": 4})
    changed = await store.get_item([mark, "a"], "k", refresh_ttl=True)
    assert changed["created_at"] == item["created_at"] < changed["updated_at"]

    async def found(*prefix: str, **asked: Any) -> list[str]:
        return [one["key"] for one in (await store.search_items([mark, *prefix], **asked))["items"]]

    assert await found() == ["k", "l", "m"]
    assert await found("a") == ["k", "l"]
    assert await found(filter={"n": {"$gte": 3}}) == ["k", "m"]
    assert await found(limit=1, offset=1, refresh_ttl=False) == ["l"]
    assert sorted(await found(query="red")) == ["k", "l", "m"]
    with pytest.raises(BadRequestError, match=r"\$in"):
        await found(filter={"n": {"$in": [1]}})

    listed = await store.list_namespaces(prefix=[mark])
    assert listed == {"namespaces": [[mark, "a"], [mark, "b", "c"]]}
    assert (await store.list_namespaces(prefix=[mark], suffix=["c"]))["namespaces"] == [[mark, "b", "c"]]
    cut = await store.list_namespaces(prefix=[mark], max_depth=2, limit=1, offset=1)
    assert cut["namespaces"] == [[mark, "b"]]
    for namespace, key in (([mark, "a"], "k"), ([mark, "a"], "l"), ([mark, "b", "c"], "m")):
        await store.delete_item(namespace, key)
    assert await store.get_item([mark, "a"], "k") is None
    assert (await store.list_namespaces(prefix=[mark]))["namespaces"] == []


async def test_crons(sdk: Any, mark: str) -> None:
    (steps,) = await sdk.assistants.search(graph_id="steps", metadata={"created_by": "system"})
    thread_id = (await sdk.threads.create())["thread_id"]
    asked = {"schedule": "0 0 1 1 *", "input": {"log": []}, "metadata": {"mark": mark}}
    end_time = datetime.now(UTC) + timedelta(days=800)
    free = await sdk.crons.create("steps", **asked, timezone="Europe/Berlin", on_run_completed="keep")
    bound = await sdk.crons.create_for_thread(thread_id, "steps", **asked, end_time=end_time, enabled=False)
    assert bound["thread_id"] == thread_id and free["assistant_id"] == steps["assistant_id"]
    assert (free["enabled"], bound["enabled"]) == (True, False)

    async def found(**asked: Any) -> list[str]:
        return [cron["cron_id"] for cron in await sdk.crons.search(metadata={"mark": mark}, **asked)]

    assert await found() == [bound["cron_id"], free["cron_id"]]
    assert await found(thread_id=thread_id) == await found(enabled=False) == [bound["cron_id"]]
    assert await found(sort_by="created_at", sort_order="asc", limit=1) == [free["cron_id"]]
    assert await sdk.crons.search(metadata={"mark": mark}, limit=1, select=["schedule"]) == [
        {"schedule": "0 0 1 1 *"}
    ]
    assert await sdk.crons.count(metadata={"mark": mark}) == 2
    assert await sdk.crons.count(assistant_id=steps["assistant_id"], thread_id=thread_id) == 1
    changed = await sdk.crons.update(
        bound["cron_id"], schedule="0 0 2 1 *", end_time=None, enabled=True, metadata={"more": 1}
    )
    assert (changed["schedule"], changed["end_time"], changed["enabled"]) == ("0 0 2 1 *", None, True)
    assert changed["metadata"]["more"] == 1
    await sdk.crons.delete(free["cron_id"])
    await sdk.crons.delete(bound["cron_id"])
    assert await found() == []
    with pytest.raises(NotFoundError):
        await sdk.crons.delete(free["cron_id"])


@pytest.mark.parametrize(
    ("method", "path", "noun"),
    [
        ("PATCH", "/assistants/abc", "assistant"),
        ("POST", "/assistants/abc/versions", "assistant"),
        ("PATCH", "/threads/abc", "thread"),
        ("POST", "/threads/abc/state", "thread"),
        ("POST", "/threads/abc/state/checkpoint", "thread"),
        ("POST", "/threads/abc/history", "thread"),
        ("POST", "/threads/abc/runs/crons", "thread"),
        ("PATCH", "/runs/crons/abc", "cron"),
    ],
)
def test_a_bad_id_is_told_before_a_bad_body(server: ServerProcess, method: str, path: str, noun: str) -> None:
    with server.http() as http:
        for body in (b"", b"[]", b'{"metadata": 5}'):
            answer = http.request(method, path, content=body)
            assert (answer.status_code, answer.json()["detail"]) == (
                422,
                f"Invalid {noun} ID: must be a UUID",
            )
