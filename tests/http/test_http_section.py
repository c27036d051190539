"""The section `http` of langgraph.json on a real server."""

from collections.abc import Callable
from pathlib import Path

from tests.http.projects import project
from tests.server_process import ServerProcess
from tests.waiting import until

ORIGIN = {"origin": "https://one.example"}


def test_a_prefix_headers_and_cors(server_factory: Callable[..., ServerProcess], tmp_path: Path) -> None:
    section = {
        "mount_prefix": "/api",
        "disable_assistants": True,
        "disable_a2a": True,
        "cors": {"allow_origins": ["https://one.example"], "allow_methods": ["GET", "POST"]},
        "configurable_headers": {"includes": ["x-dk-*"], "excludes": ["x-dk-secret"]},
        "logging_headers": {"includes": ["x-log-*", "authorization"]},
    }
    server = server_factory(config=project(tmp_path / "project", http=section)).start()
    with server.http() as http:
        for path in ("/", "/ok", "/api/ok"):
            assert http.get(path).json() == {"ok": True, "services": {}}, path
        assert http.get("/metrics").status_code == 200
        for path in ("/info", "/docs", "/threads/x", "/api/assistants/x"):
            assert http.get(path).status_code == 404, path
        document = http.get("/api/openapi.json").json()
        assert document["servers"] == [{"url": f"{server.url}/api"}]
        assert "/assistants" in document["paths"]
        assert "/a2a/{assistant_id}" not in document["paths"]

        asked = {**ORIGIN, "access-control-request-method": "PUT"}
        preflight = http.options("/api/threads", headers=asked)
        assert (preflight.status_code, preflight.text) == (400, "Disallowed CORS method")
        answer = http.get("/api/ok", headers=ORIGIN)
        assert answer.headers["access-control-allow-origin"] == "https://one.example"

        thread_id = http.post("/api/threads", json={}).json()["thread_id"]
        sent = {"x-dk-a": "1", "x-dk-secret": "2", "x-log-me": "shown", "authorization": "Bearer hidden"}
        body = {"assistant_id": "steps", "input": {"log": []}}
        run = http.post(f"/api/threads/{thread_id}/runs", json=body, headers=sent)
        assert run.headers["content-location"] == f"/threads/{thread_id}/runs/{run.json()['run_id']}"
        configurable = run.json()["kwargs"]["config"]["configurable"]
        assert {name: value for name, value in configurable.items() if name.startswith("x-")} == {
            "x-dk-a": "1"
        }
    until(lambda: "x-log-me=shown" in server.output())
    assert "hidden" not in server.output()


def test_without_meta_and_runs(server_factory: Callable[..., ServerProcess], tmp_path: Path) -> None:
    section = {"disable_meta": True, "disable_runs": True, "disable_mcp": True}
    config = project(tmp_path / "project", http=section)
    environ = {"CORS_CONFIG": '{"allow_origin_regex": "https://.*[.]example"}'}
    with server_factory(config=config, environ=environ).start().http() as http:
        answer = http.get("/ok", headers=ORIGIN)
        assert answer.json() == {"ok": True}
        assert answer.headers["access-control-allow-origin"] == "https://one.example"
        assert "access-control-allow-origin" not in http.get("/ok", headers={"origin": "null"}).headers
        for path in ("/", "/info", "/metrics", "/docs", "/openapi.json", "/mcp"):
            assert http.get(path).status_code == 404, path
        assert http.post("/threads", json={}).status_code == 200
        for path in ("/runs", "/runs/crons/search", "/threads/x/runs", "/threads/x/commands"):
            assert http.post(path, json={}).status_code == 404, path
