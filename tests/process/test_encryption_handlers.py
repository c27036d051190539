"""A server with a project's own encryption handlers (`encryption.path` of langgraph.json)."""

import base64
import json
import sqlite3
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.process.test_encryption import KEY, SECRET, files_that_say, fill, post, read_back, thread
from tests.server_process import ServerProcess
from tests.waiting import until

Start = Callable[..., ServerProcess]
TESTS = Path(__file__).parent.parent


@pytest.fixture
def server_with(server_factory: Callable[..., ServerProcess], tmp_path: Path) -> Start:
    """`server_with("vault.py name", **environ)`: not started; all of them on the same data."""

    def make(handlers: str | None, **environ: str) -> ServerProcess:
        config = tmp_path / "langgraph.json"
        section = {"path": f"{TESTS}/project_encrypted/vault.py:{handlers}"} if handlers else None
        graphs = {
            name: f"{TESTS}/project/graphs.py:{name}" for name in ("echo", "interrupting", "failing", "steps")
        }
        graphs["slow"] = f"{TESTS}/project/slow.py:slow"
        config.write_text(json.dumps({"dependencies": [], "graphs": graphs, "encryption": section}))
        given = {"VAULT_CALLS": str(tmp_path / "calls"), **environ}
        return server_factory(config=config, data_dir=tmp_path / "data", environ=given)

    return make


def calls(tmp_path: Path) -> Counter[str]:
    return Counter((tmp_path / "calls").read_text().splitlines())


def of(customer: str) -> dict[str, str]:
    context = base64.b64encode(json.dumps({"customer": customer}).encode()).decode()
    return {"X-Encryption-Context": context}


def refused(server: ServerProcess) -> str:
    """What a server says that must not start."""
    server.launch()
    assert server._running.wait(timeout=60) == 2, server.output()
    assert "Traceback" not in server.output()
    return server.output()


def test_everything_is_encrypted_with_few_calls(server_with: Start, tmp_path: Path) -> None:
    server = server_with("by_blobs").start()
    with server.http() as http:
        waiting = fill(http)
        assert files_that_say(server.data_dir, SECRET) == set()
        assert calls(tmp_path) == {"encrypt nobody": 1, "encrypt walk-in": 1}, (
            "one for the server itself, one for the callers"
        )
        server.kill_server()
        server.is_back()
        read_back(http, waiting)
        assert calls(tmp_path)["decrypt walk-in"] >= 1
    server.stop()
    keys = sqlite3.connect(server.data_dir / "keys.db").execute("SELECT wrapped FROM data_key").fetchall()
    assert {wrapped[:3] for (wrapped,) in keys} >= {b"v2:"}, "what a handler gives back in its place is kept"


def test_each_customer_has_keys_of_his_own(server_with: Start, tmp_path: Path) -> None:
    server = server_with("by_blobs").start()
    threads: dict[str, str] = {}
    asked = {"assistant_id": "interrupting", "input": {"log": [SECRET]}}
    for customer in ("ann", "bob"):
        with httpx.Client(base_url=server.url, headers=of(customer)) as http:
            threads[customer] = thread(http)
            post(http, f"/threads/{threads[customer]}/runs/wait", asked)
            post(http, f"/threads/{threads[customer]}/runs", {**asked, "after_seconds": 2})
    assert {call for call in calls(tmp_path) if call.startswith("encrypt")} == {
        "encrypt nobody", "encrypt ann", "encrypt bob",
    }  # fmt: skip
    server.stop()
    # What the worker wrote went under the same keys: without bob's, nothing of bob's is read, and all of ann's.
    (tmp_path / "bob.locked").touch()
    server = server_with("by_blobs").start()
    with httpx.Client(base_url=server.url, headers=of("ann")) as http:
        assert SECRET in str(http.get(f"/threads/{threads['ann']}/state").json())
        for path in ("", "/state"):
            assert http.get(f"/threads/{threads['bob']}{path}").status_code == 503
        runs = f"/threads/{threads['ann']}/runs"
        until(lambda: len(http.get(f"{runs}?status=success").json()) == 2, "bob's run holds up ann's")
        assert http.post("/threads", json={}, headers=of("bob")).status_code == 503
    server.stop()


def test_handlers_for_json_will_do(server_with: Start) -> None:
    server = server_with("by_json").start()
    with server.http() as http:
        waiting = fill(http)
        assert files_that_say(server.data_dir, SECRET) == set()
        server.kill_server()
        server.is_back()
        read_back(http, waiting)
    server.stop()


def test_a_cron_s_runs_are_encrypted_for_who_made_it(server_with: Start, tmp_path: Path) -> None:
    server = server_with("by_blobs", CRON_SCHEDULER_SLEEP_TIME="0.1").start()
    with httpx.Client(base_url=server.url, headers=of("ann")) as http:
        thread_id = thread(http)
        cron: dict[str, Any] = {
            "assistant_id": "steps",
            "schedule": "* * * * * *",
            "input": {"log": [SECRET]},
        }
        made = post(http, f"/threads/{thread_id}/runs/crons", cron)
        until(lambda: http.get(f"/threads/{thread_id}/runs?status=success").json(), "it does not fire")
        http.delete(f"/runs/crons/{made['cron_id']}")
    assert "encrypt walk-in" not in calls(tmp_path)
    server.stop()
    (tmp_path / "ann.locked").touch()
    server = server_with("by_blobs").start()
    with server.http() as http:
        assert http.get(f"/threads/{thread_id}/runs").status_code == 503
    server.stop()


def test_what_cannot_work_is_said_at_the_start(server_with: Start, tmp_path: Path) -> None:
    assert "has no @encryption.decrypt.blob handler: add one." in refused(server_with("forgetful"))
    assert "must name a langgraph_sdk.Encryption object, not PosixPath" in refused(server_with("calls"))
    assert "are two ways to encrypt" in refused(server_with("by_blobs", LANGGRAPH_AES_KEY=KEY))
    server_with("by_blobs").start().stop()
    assert "is encrypted: set LANGGRAPH_AES_KEY (or encryption.path" in refused(server_with(None))
    assert "was encrypted with another key" in refused(server_with(None, LANGGRAPH_AES_KEY=KEY))
    assert "was encrypted with another key" in refused(server_with("by_json"))


def test_a_context_that_is_none_is_refused(server_with: Start) -> None:
    server = server_with("by_blobs").start()
    answer = httpx.post(f"{server.url}/threads", json={}, headers={"X-Encryption-Context": "???"})
    assert answer.status_code == 422 and "must be a JSON object in base64" in answer.json()["detail"]
    server.stop()
