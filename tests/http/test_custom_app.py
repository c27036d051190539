"""A project's own application around our routes."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.http.projects import project
from tests.http.test_runs import until_status
from tests.server_process import ServerProcess
from tests.waiting import until

HERE = Path(__file__).parent
APP = f"{HERE / 'webapp.py'}:app"
AUTH = {"path": f"{HERE / 'handlers.py'}:auth"}
ALICE = {"authorization": "Bearer alice"}
SLOW: dict[str, Any] = {"pause": 0.1, "rounds": 100}


@pytest.fixture(scope="module")
def around(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server with a custom application, nobody asked who he is."""
    folder = tmp_path_factory.mktemp("around")
    open_hooks = {"url": {"disable_loopback": False, "require_https": False}}
    cors = {"allow_origins": ["https://one.example"], "allow_methods": ["GET"]}
    config = project(folder, http={"app": APP, "cors": cors, "disable_store": True}, webhooks=open_hooks)
    environ = {"SHUTDOWN_GRACE_SECONDS": "1", "STREAM_HEARTBEAT_SECONDS": "1.2"}
    serving = ServerProcess(folder, config=config, environ=environ)
    with serving.running():
        yield serving
    assert "lifespan ended" in serving.output()


@pytest.fixture
async def http(around: ServerProcess) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=around.url, timeout=20) as client:
        yield client


async def has_seen(around: ServerProcess, word: str) -> None:
    """Wait until the application says so."""
    await asyncio.to_thread(until, lambda: word in httpx.get(f"{around.url}/custom/seen").json())


async def test_its_routes_see_the_request_and_the_lifespans_state(http: httpx.AsyncClient) -> None:
    answer = await http.get("/custom/hello/a%20b", params=[("q", "1"), ("q", "ü&")])
    assert answer.json() == {
        "state": "by the lifespan",
        "query": [["q", "1"], ["q", "ü&"]],
        "path": {"name": "a b"},
        "root": "",
        "client": "127.0.0.1",
        "user": None,
    }


async def test_bodies_come_whole(http: httpx.AsyncClient) -> None:
    body = bytes(range(256)) * 1000
    answer = await http.post("/custom/echo", content=body, headers={"content-type": "application/x-thing"})
    assert answer.content == body
    assert answer.headers["content-type"] == "application/x-thing"


async def test_every_cookie_arrives(http: httpx.AsyncClient) -> None:
    answer = await http.get("/custom/cookies")
    assert [one.split(";")[0] for one in answer.headers.get_list("set-cookie")] == ["one=1", "two=2"]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/custom/seen", 200), ("GET", "/ok", 200), ("GET", "/nope", 404), ("GET", "/threads/abc", 422)],
)
async def test_its_middleware_wraps_everything(
    http: httpx.AsyncClient, method: str, path: str, status: int
) -> None:
    answer = await http.request(method, path)
    assert answer.status_code == status
    assert answer.headers["x-stamp"] == "stamped"


async def test_its_routes_come_before_ours_but_for_four(http: httpx.AsyncClient) -> None:
    assert (await http.get("/info")).json() == {"shadowed": True}
    assert (await http.post("/threads/count", json={})).json() == {"shadowed": True}
    assert (await http.get("/threads/count")).status_code == 422
    assert (await http.get("/ok")).json() == {"ok": True, "services": {}}
    assert (await http.get("/docs")).text.startswith("<!doctype html>")
    paths = (await http.get("/openapi.json")).json()["paths"]
    assert paths["/custom/hello/{name}"] == {"get": {}}
    assert paths["/threads/count"] == {"post": {}}
    assert "/threads/{thread_id}" in paths


@pytest.mark.parametrize(
    ("method", "path", "status", "body"),
    [
        ("GET", "/custom/teapot", 418, '{"detail":"short and stout"}'),
        ("GET", "/custom/value", 400, '{"detail":"bad value"}'),
        ("GET", "/custom/crash", 500, "Internal Server Error"),
        ("POST", "/custom/seen", 404, '{"detail":"Not Found"}'),
        ("GET", "/custom/gone", 404, '{"detail":"Not Found"}'),
        ("GET", "/store/items?namespace=a&key=k", 404, '{"detail":"Not Found"}'),
    ],
)
async def test_errors_have_the_servers_shape(
    http: httpx.AsyncClient, method: str, path: str, status: int, body: str
) -> None:
    answer = await http.request(method, path)
    assert (answer.status_code, answer.text) == (status, body)


async def test_head_and_cors(http: httpx.AsyncClient) -> None:
    answer = await http.head("/custom/seen", headers={"origin": "https://one.example"})
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["access-control-allow-origin"] == "https://one.example"
    asked = {"origin": "https://two.example", "access-control-request-method": "PUT"}
    refused = await http.options("/threads", headers=asked)
    assert (refused.status_code, refused.text) == (400, "Disallowed CORS origin, method")
    assert refused.headers["x-stamp"] == "stamped"


async def test_it_may_go_on_after_its_answer(around: ServerProcess, http: httpx.AsyncClient) -> None:
    await http.get("/custom/later")
    await has_seen(around, "worked later")


async def test_our_streams_pass_unbuffered_with_heartbeats(http: httpx.AsyncClient) -> None:
    thread_id = (await http.post("/threads", json={})).json()["thread_id"]
    body = {"assistant_id": "slow", "input": {"pause": 3.5, "rounds": 1}, "stream_mode": "updates"}
    async with http.stream("POST", f"/threads/{thread_id}/runs/stream", json=body) as answer:
        assert answer.headers["content-location"].startswith(f"/threads/{thread_id}/runs/")
        assert answer.headers["x-stamp"] == "stamped"
        text = "".join([chunk async for chunk in answer.aiter_text()])
    assert text.index("event: metadata") < text.index(": heartbeat") < text.index("event: updates")


async def test_head_of_a_stream_is_answered_at_once(http: httpx.AsyncClient) -> None:
    thread_id = (await http.post("/threads", json={})).json()["thread_id"]
    for path in ("/custom/ticks", f"/threads/{thread_id}/stream"):
        assert (await http.head(path)).status_code == 200


async def test_a_client_that_leaves_our_stream_is_noticed(
    around: ServerProcess, http: httpx.AsyncClient
) -> None:
    thread_id = (await http.post("/threads", json={})).json()["thread_id"]
    body = {"assistant_id": "slow", "input": SLOW, "on_disconnect": "cancel"}
    async with http.stream("POST", f"/threads/{thread_id}/runs/stream", json=body) as answer:
        run_id = answer.headers["content-location"].rpartition("/")[2]
        await anext(aiter(answer.aiter_text()))
    async with around.sdk() as sdk:
        await until_status(sdk, thread_id, run_id, "interrupted")


async def test_a_client_that_leaves_its_stream_is_noticed(
    around: ServerProcess, http: httpx.AsyncClient
) -> None:
    async with http.stream("GET", "/custom/ticks") as answer:
        assert await anext(aiter(answer.aiter_lines())) == "0"
    await has_seen(around, "ticks ended")


async def test_a_relative_webhook_reaches_it(around: ServerProcess, http: httpx.AsyncClient) -> None:
    body = {"assistant_id": "steps", "input": {"log": []}, "webhook": "/custom/hook"}
    run = await http.post("/runs/wait", json=body)
    assert run.status_code == 200
    run_id = run.headers["content-location"].rpartition("/")[2]
    await has_seen(around, f"hooked {run_id}")


def test_auth_first_and_guarded_routes(server_factory: Callable[..., ServerProcess], tmp_path: Path) -> None:
    section = {"app": APP, "middleware_order": "auth_first", "enable_custom_route_auth": True}
    config = project(tmp_path / "project", http=section, auth=AUTH)
    with server_factory(config=config).start().http() as http:
        for path in ("/custom/hello/x", "/info", "/nope", "/threads/abc"):
            stranger = http.get(path)
            assert (stranger.status_code, stranger.json()) == (401, {"detail": "missing token"}), path
            assert "x-stamp" not in stranger.headers
        assert http.get("/ok").headers["x-stamp"] == "stamped"
        assert http.get("/custom/hello/x", headers=ALICE).json()["user"] == "alice"
        assert http.post("/threads", json={}, headers=ALICE).status_code == 200


def test_its_error_handlers_win_and_its_routes_are_open(
    server_factory: Callable[..., ServerProcess], tmp_path: Path
) -> None:
    config = project(tmp_path / "project", http={"app": APP, "mount_prefix": "/api"}, auth=AUTH)
    with server_factory(config=config, environ={"OWN_HANDLERS": "1"}).start().http() as http:
        hello = http.get("/api/custom/hello/x").json()
        assert (hello["root"], hello["user"]) == ("/api", None)
        assert http.get("/api/nope").status_code == 401
        for path in ("/api/nope", "/api/threads/11111111-1111-1111-1111-111111111111"):
            assert http.get(path, headers=ALICE).json() == {"nothing": "here"}
        assert http.get("/custom/hello/x", headers=ALICE).json() == {"detail": "Not Found"}
        assert http.get("/ok").json() == http.get("/api/ok").json() == {"ok": True, "services": {}}


@pytest.mark.parametrize(
    ("app", "said"),
    [
        (f"{HERE / 'webapp.py'}:no_application", "must name a Starlette or FastAPI application"),
        (f"{HERE / 'gone.py'}:app", "does not exist"),
    ],
)
def test_what_is_no_application_ends_the_start(
    server_factory: Callable[..., ServerProcess], tmp_path: Path, app: str, said: str
) -> None:
    serving = server_factory(config=project(tmp_path / "project", http={"app": app}))
    serving.launch()
    with pytest.raises(AssertionError, match="it ended with 2"):
        serving.has_ended(30)
    until(lambda: said in serving.output())
