"""Handlers of the langgraph and system surfaces, called as functions."""

from collections.abc import Awaitable, Callable
from typing import Any

import orjson
import pytest

from robyn_server.engine import Engine
from robyn_server.errors import InvalidRequest, Unavailable, Unprocessable
from robyn_server.observability.metrics import Metrics
from robyn_server.surfaces.langgraph import assistants, crons, store, threads
from robyn_server.surfaces.langgraph.schemas import SCHEMAS
from robyn_server.surfaces.system.routes import System
from robyn_server.web.routing import Reply, Request

Handler = Callable[[Request], Awaitable[Reply]]


@pytest.fixture
def call(engine: Engine) -> Callable[..., Awaitable[Reply]]:
    async def call(handler: Handler, body: Any = None, headers: Any = None, **said: Any) -> Reply:
        path_params = {name: value for name, value in said.items() if name.endswith("_id")}
        query = {name: [value] for name, value in said.items() if name not in path_params}
        raw = b"" if body is None else orjson.dumps(body)
        return await handler(Request("", "", path_params, query, headers or {}, raw, engine))

    return call


@pytest.fixture
def system() -> System:
    document = {"info": {"title": "t", "version": "1"}, "paths": {}, "components": {"schemas": dict(SCHEMAS)}}
    return System(Metrics(4), lambda base_url: document, lambda: False, "0.1.0")


async def test_thread_with_a_state_of_its_own(call):
    steps = [{"updates": [{"values": {"log": ["x"]}, "as_node": "one"}]}]
    made = orjson.loads(
        (await call(threads.create_thread, {"metadata": {"graph_id": "steps"}, "supersteps": steps})).body
    )
    assert (made["status"], made["values"], made["interrupts"]) == ("interrupted", {"log": ["x"]}, {})
    problem = await call(threads.create_thread, {"supersteps": steps})
    assert problem.status == 201
    assert b"was created, but there were problems updating the state: Thread '" in problem.body


async def test_ids_are_read_in_every_spelling(call):
    made = orjson.loads((await call(threads.create_thread, {"thread_id": ""})).body)
    upper = await call(threads.get_thread, thread_id=made["thread_id"].upper())
    assert orjson.loads(upper.body) == made
    with pytest.raises(Unprocessable, match="^Invalid thread ID: must be a UUID$"):
        await call(threads.get_thread, thread_id="abc")
    with pytest.raises(InvalidRequest, match="^badly formed hexadecimal UUID string$"):
        await call(threads.copy_thread, thread_id="abc")


async def test_search_selects_extracts_and_pages(call):
    for n in range(3):
        await call(threads.create_thread, {"metadata": {"n": n}})
    body = {"limit": 2, "select": ["status", "thread_id"], "extract": {"n": "metadata.n"}}
    found = await call(threads.search_threads, {**body, "sort_by": "created_at", "sort_order": "asc"})
    assert dict(found.headers) == {"x-pagination-total": "3", "x-pagination-next": "2"}
    items = orjson.loads(found.body)
    assert [list(item) for item in items] == [["thread_id", "status", "extracted"]] * 2
    assert [item["extracted"] for item in items] == [{"n": 0}, {"n": 1}]


async def test_patch_may_answer_nothing(call):
    made = orjson.loads((await call(threads.create_thread, {})).body)
    patched = await call(
        threads.update_thread,
        {"metadata": {"a": 1}},
        {"prefer": "return=minimal"},
        thread_id=made["thread_id"],
    )
    assert (patched.status, patched.content_type) == (204, None)


@pytest.mark.parametrize(("xray", "nodes"), [(None, 4), ("true", 5), ("1", 5), ("", 4)])
async def test_xray(call, xray: str | None, nodes: int):
    said = {} if xray is None else {"xray": xray}
    drawn = await call(assistants.get_graph, assistant_id="nested", **said)
    assert len(orjson.loads(drawn.body)["nodes"]) == nodes


@pytest.mark.parametrize("xray", ["0", "-1", "abc"])
async def test_bad_xray(call, xray: str):
    with pytest.raises(Unprocessable, match="^Invalid xray value$"):
        await call(assistants.get_graph, assistant_id="nested", xray=xray)


async def test_store_answers_that_have_a_shape_of_their_own(call):
    no_key = await call(store.get_item, namespace="a")
    assert (no_key.status, no_key.body) == (400, b'{"error":"Key is required"}')
    no_namespace = await call(store.get_item, key="k")
    assert (no_namespace.status, no_namespace.content_type) == (422, None)
    assert (await call(store.get_item, namespace="a.b", key="k")).body == b"null"
    await call(store.put_item, {"namespace": ["a", "b"], "key": "k", "value": {"n": 1}})
    item = orjson.loads((await call(store.get_item, namespace="a.b", key="k")).body)
    assert list(item) == ["namespace", "key", "value", "created_at", "updated_at"]
    assert item["created_at"].endswith("+00:00")


async def test_cron_searches_take_ids_only(call):
    await call(crons.create_cron, {"assistant_id": "steps", "schedule": "@daily"})
    found = await call(crons.search_crons, {"sort_by": "next_run_date", "select": ["schedule"]})
    assert orjson.loads(found.body) == [{"schedule": "@daily"}]
    with pytest.raises(Unprocessable, match="^Invalid assistant ID: must be a UUID$"):
        await call(crons.count_crons, {"assistant_id": "steps"})


async def test_health(call, system: System):
    assert (await call(system.ok, check_db="1")).body == b'{"ok":true,"services":{}}'
    with pytest.raises(InvalidRequest, match="invalid literal for int"):
        await call(system.ok, check_db="x")
    draining = System(system.metrics, system.document, lambda: True, "0.1.0")
    with pytest.raises(Unavailable):
        await call(draining.ok)


async def test_info_names_a_stable_deployment(call, system: System):
    first, second = [orjson.loads((await call(system.info)).body) for _ in range(2)]
    assert first == second
    assert first["host"]["project_id"] and first["host"]["tenant_id"]


async def test_numbers_and_documents(call, system: System):
    assert b"lg_api_num_pending_runs 0" in (await call(system.numbers)).body
    assert orjson.loads((await call(system.numbers, format="json")).body)["workers"]["max"] == 4
    schemas = orjson.loads((await call(system.openapi)).body)["components"]["schemas"]
    assert schemas["AssistantCreate"]["properties"]["graph_id"]["enum"] == ["steps", "chat", "nested"]
    assert (await call(system.docs)).body.startswith(b"<!doctype html>")
