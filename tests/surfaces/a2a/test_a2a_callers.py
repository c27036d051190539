"""Rights go with the caller: tasks and tools of somebody else are not there."""

import time
from collections.abc import Callable
from typing import Any

import httpx
import jwt
import pytest

from robyn_server.resources.ids import system_assistant_id
from tests.server_process import ServerProcess

SECRET = "a secret of more than thirty-two bytes"
PATH = f"/a2a/{system_assistant_id('echo')}"
SENT = {"message": {"role": "user", "messageId": "m", "parts": [{"kind": "text", "text": "hi"}]}}


@pytest.fixture
def guarded(server_factory: Callable[..., ServerProcess]) -> ServerProcess:
    environ = {"AUTH_MODE": "supabase", "SUPABASE_JWT_SECRET": SECRET}
    return server_factory(environ=environ).start()


def caller(server: ServerProcess, name: str) -> httpx.Client:
    claims = {"sub": name, "aud": "authenticated", "role": "authenticated", "exp": time.time() + 600}
    token = jwt.encode(claims, SECRET, algorithm="HS256")
    headers = {"authorization": f"Bearer {token}", "accept": "application/json"}
    return httpx.Client(base_url=server.url, headers=headers, timeout=30)


def ask(http: httpx.Client, path: str, method: str, params: Any) -> Any:
    answer = http.post(path, json={"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_what_one_caller_does_another_does_not_see(guarded: ServerProcess) -> None:
    with caller(guarded, "ada") as ada, caller(guarded, "bob") as bob:
        task = ask(ada, PATH, "message/send", SENT)["result"]
        assert task["status"]["state"] == "completed"
        for method in ("tasks/get", "tasks/cancel"):
            assert ask(bob, PATH, method, {"id": task["id"]})["error"]["code"] == -32001
        assert ask(bob, PATH, "ListTasks", {})["result"]["totalSize"] == 0
        assert ask(ada, PATH, "ListTasks", {})["result"]["totalSize"] == 1
        intruding = {"message": {**SENT["message"], "contextId": task["contextId"]}}
        assert ask(bob, PATH, "message/send", intruding)["error"]["code"] == -32602

        ada.post("/assistants", json={"graph_id": "steps", "name": "mine"}).raise_for_status()
        call = {"name": "mine", "arguments": {}}
        assert ask(bob, "/mcp", "tools/call", call)["error"]["message"] == "Unknown tool: mine"
        assert "'three'" in ask(ada, "/mcp", "tools/call", call)["result"]["content"][0]["text"]


def test_strangers_are_sent_away(guarded: ServerProcess) -> None:
    ping = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
    for path in (PATH, "/mcp"):
        assert httpx.post(guarded.url + path, json=ping).status_code == 401
    assert httpx.get(guarded.url + PATH).status_code == 401
