"""Sections of langgraph.json that come from variables, and that change between two starts, on real servers."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from tests.http.projects import PROJECT, project
from tests.server_process import ServerProcess
from tests.waiting import until

KEEPERS = Path(__file__).parent.parent / "project_persistence" / "keepers.py"
Factory = Callable[..., ServerProcess]

AUTH = """
from langgraph_sdk import Auth

auth = Auth()


@auth.authenticate
async def authenticate(authorization: str | None) -> str:
    if authorization != "Bearer ada":
        raise Auth.exceptions.HTTPException(status_code=401, detail="who?")
    return "ada"
"""

EMBED = """
import hashlib


def embedded(salt, texts):
    vectors = [[0.0] * 64 for _ in texts]
    for vector, text in zip(vectors, texts):
        for word in text.split():
            vector[hashlib.sha256(f"{salt}{word}".encode()).digest()[0] % 64] += 1.0
    return vectors


def small(texts):
    return embedded("small", texts)


async def large(texts):
    return embedded("large", texts)
"""


def test_a_server_without_a_langgraph_json(server_factory: Factory, tmp_path: Path) -> None:
    (tmp_path / "auth.py").write_text(AUTH)
    environ = {
        "LANGSERVE_GRAPHS": json.dumps({"steps": f"{PROJECT}/graphs.py:steps"}),
        "LANGGRAPH_AUTH": json.dumps({"path": "./auth.py:auth"}),
        "LANGGRAPH_HTTP": json.dumps({"mount_prefix": "/api", "disable_a2a": True}),
        "LANGGRAPH_STORE": json.dumps({"path": f"{KEEPERS}:opened_store"}),
        "LANGGRAPH_CHECKPOINTER": json.dumps({"path": f"{KEEPERS}:plain_saver"}),
        "LANGGRAPH_WEBHOOKS": json.dumps({"url": {"require_https": True}}),
        "JOURNAL": str(tmp_path / "journal"),
    }
    server = server_factory(config=tmp_path / "langgraph.json", environ=environ).start()
    with httpx.Client(base_url=f"{server.url}/api", timeout=30) as http:
        assert http.get("/assistants/x").status_code == 401
        http.headers["authorization"] = "Bearer ada"
        body = {"assistant_id": "steps", "input": {"log": []}}
        assert http.post("/runs/wait", json=body).json()["log"] == ["one", "two", "three"]
        thread_id = http.post("/threads", json={}).json()["thread_id"]
        refused = http.post(f"/threads/{thread_id}/runs", json={**body, "webhook": "http://example.com/"})
        assert refused.status_code == 422
        assert "https" in refused.json()["detail"]
        http.post(f"/threads/{thread_id}/runs/wait", json=body).raise_for_status()
        assert http.get(f"/threads/{thread_id}/storage").status_code == 501
        assert http.get(f"/threads/{thread_id}/state").json()["values"]["log"] == ["one", "two", "three"]
    assert (tmp_path / "journal").read_text() == "store opened\n"


def test_a_variable_wins_over_the_file(server_factory: Factory, tmp_path: Path) -> None:
    config = project(tmp_path / "project", http={"mount_prefix": "/file"})
    environ = {"LANGGRAPH_HTTP": '{"mount_prefix": "/variable"}'}
    with server_factory(config=config, environ=environ).start().http() as http:
        assert http.post("/variable/threads", json={}).status_code == 200
        assert http.post("/file/threads", json={}).status_code == 404


def test_another_embed_function_embeds_the_items_again(server_factory: Factory, tmp_path: Path) -> None:
    def config(name: str) -> Path:
        index = {"embed": f"./embed.py:{name}", "dims": 64, "fields": ["text"]}
        return project(tmp_path / "project", store={"index": index})

    def found(http: httpx.Client, query: str) -> list[tuple[str, float | None]]:
        body = {"namespace_prefix": ["s"], "query": query, "limit": 1}
        items = http.post("/store/items/search", json=body).json()["items"]
        return [(item["key"], item["score"] and round(item["score"], 3)) for item in items]

    written = config("small")
    (tmp_path / "project" / "embed.py").write_text(EMBED)
    server = server_factory(config=written).start()
    with server.http() as http:
        for key, text in (("apple", "red apple"), ("sea", "blue sea"), ("snow", "white snow")):
            put: dict[str, Any] = {"namespace": ["s"], "key": key, "value": {"text": text}}
            http.put("/store/items", json=put).raise_for_status()
        assert found(http, "white snow") == [("snow", 1.0)]
    server.stop()
    config("large")
    server.start()
    with server.http() as http:
        until(lambda: found(http, "white snow") == [("snow", 1.0)], "the items are not embedded again")
        assert found(http, "blue sea") == [("sea", 1.0)]
    assert "items=3" in server.output()


def test_serde_without_pickle(server_factory: Factory, tmp_path: Path) -> None:
    folder = tmp_path / "project"
    folder.mkdir()
    written = {"dependencies": ["."], "graphs": {"odd": f"{KEEPERS}:keeps_a_class"}}
    body = {"assistant_id": "odd", "input": {"mark": "x"}}
    statuses = []
    for serde in (None, {"pickle_fallback": False}):
        (folder / "langgraph.json").write_text(json.dumps({**written, "checkpointer": {"serde": serde}}))
        server = server_factory(config=folder / "langgraph.json").start()
        with server.http() as http:
            thread_id = http.post("/threads", json={}).json()["thread_id"]
            http.post(f"/threads/{thread_id}/runs/wait", json=body)
            statuses.append(http.get(f"/threads/{thread_id}/runs").json()[0]["status"])
        server.stop()
    assert statuses == ["success", "error"]
