"""A server with LANGGRAPH_AES_KEY: what it keeps cannot be read in its files, and is there after kill -9."""

import sqlite3
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.crash.scenes import streams_survive
from tests.server_process import ServerProcess

Factory = Callable[..., ServerProcess]

KEY = "0123456789abcdef0123456789abcdef"
OTHER_KEY = "fedcba9876543210"
SECRET = "quetzalcoatl"
"""Stands in everything that is to be encrypted."""

EVERYWHERE = {"app.db", "checkpoints.db", "events.db", "store.db"}


def fill(http: httpx.Client) -> str:
    """Say the secret wherever a client may; the id of a thread that waits at an interrupt."""
    config = {"configurable": {"mood": f"{SECRET}-config"}}
    echoed = thread(http)
    chat = {
        "assistant_id": "echo",
        "input": {"messages": [{"role": "user", "content": f"{SECRET}-input " * 200}]},
        "config": config,
        "stream_mode": ["values", "messages-tuple"],
        "stream_resumable": True,
        "metadata": {"shown": "in clear"},
    }
    for _ in range(3):
        post(http, f"/threads/{echoed}/runs/stream", chat)
    post(http, f"/threads/{echoed}/state", {"values": {"messages": [f"{SECRET}-state"]}, "as_node": "echo"})
    waiting = thread(http)
    asked = {"assistant_id": "interrupting", "input": {"log": [f"{SECRET}-log"]}, "config": config}
    post(http, f"/threads/{waiting}/runs/wait", asked)
    post(
        http,
        f"/threads/{waiting}/runs/wait",
        {**asked, "input": None, "command": {"resume": f"{SECRET}-answer"}},
    )
    post(http, f"/threads/{waiting}/runs/wait", asked)
    failed = {"assistant_id": "failing", "input": {"log": [f"{SECRET}-failed"]}}
    http.post(f"/threads/{thread(http)}/runs/wait", json=failed)
    later = {**asked, "after_seconds": 3600}
    post(http, f"/threads/{thread(http)}/runs", later)
    post(
        http, "/runs/crons", {"assistant_id": "echo", "schedule": "0 0 1 1 *", "input": {"messages": SECRET}}
    )
    value = {"note": f"{SECRET}-value", "number": 3}
    http.put("/store/items", json={"namespace": ["notes"], "key": "one", "value": value}).raise_for_status()
    return waiting


def post(http: httpx.Client, path: str, body: dict[str, Any], headers: dict[str, str] | None = None) -> Any:
    answer = http.post(path, json=body, headers=headers)
    assert answer.status_code == 200, answer.text
    return answer.json() if "json" in answer.headers["content-type"] else answer.text


def thread(http: httpx.Client) -> str:
    return str(post(http, "/threads", {"metadata": {"shown": "in clear"}})["thread_id"])


def files_that_say(data_dir: Path, word: str) -> set[str]:
    """The databases whose files, write-ahead logs included, hold a word."""
    found = [file for file in data_dir.iterdir() if word.encode() in file.read_bytes()]
    return {file.name.removesuffix("-wal").removesuffix("-shm") for file in found}


def test_without_a_key_the_files_say_it_all(server_factory: Factory) -> None:
    server = server_factory().start()
    with server.http() as http:
        fill(http)
    assert files_that_say(server.data_dir, SECRET) == EVERYWHERE
    server.stop()


def test_nothing_can_be_read_in_the_files_and_everything_through_the_api(server_factory: Factory) -> None:
    server = server_factory(environ={"LANGGRAPH_AES_KEY": KEY}).start()
    with server.http() as http:
        waiting = fill(http)
        assert files_that_say(server.data_dir, SECRET) == set()
        assert "app.db" in files_that_say(server.data_dir, "in clear"), "metadata can be searched"
        server.kill_server()
        server.is_back()
        read_back(http, waiting)
    server.stop()
    for name in EVERYWHERE:
        dump = "\n".join(sqlite3.connect(server.data_dir / name).iterdump())
        assert "CREATE TABLE" in dump and SECRET not in dump and SECRET.encode().hex() not in dump.lower()


def read_back(http: httpx.Client, waiting: str) -> None:
    shown = http.get(f"/threads/{waiting}").json()
    assert shown["status"] == "interrupted"
    assert f"{SECRET}-answer" in str(shown["values"])
    (asked,) = shown["interrupts"].values()
    assert asked[0]["value"] == {"question": "which?"}
    assert len(http.get(f"/threads/{waiting}/history?limit=100").json()) > 5
    runs = http.get(f"/threads/{waiting}/runs").json()
    assert {run["kwargs"]["config"]["configurable"]["mood"] for run in runs} == {f"{SECRET}-config"}
    (cron,) = post(http, "/runs/crons/search", {})
    assert cron["payload"]["input"] == {"messages": SECRET}
    search = {"namespace_prefix": ["notes"], "filter": {"note": f"{SECRET}-value", "number": {"$gt": 2}}}
    assert [item["key"] for item in post(http, "/store/items/search", search)["items"]] == ["one"]
    assert post(http, "/threads/search", {"metadata": {"shown": "in clear"}})
    for path in ("/threads/search", "/threads/count"):
        refused = http.post(path, json={"values": {"log": []}})
        assert refused.status_code == 422 and "encrypts" in refused.json()["detail"]


def test_a_clear_database_is_encrypted_from_then_on(server_factory: Factory, tmp_path: Path) -> None:
    before = server_factory(data_dir=tmp_path / "data").start()
    with before.http() as http:
        waiting = fill(http)
    before.stop()
    after = server_factory(data_dir=tmp_path / "data", environ={"LANGGRAPH_AES_KEY": KEY}).start()
    with after.http() as http:
        read_back(http, waiting)
        answer = {"assistant_id": "interrupting", "command": {"resume": "novel-answer"}}
        values = post(http, f"/threads/{waiting}/runs/wait", answer)
        assert "answer: novel-answer" in values["log"] and f"{SECRET}-log" in values["log"]
    assert files_that_say(after.data_dir, "novel-answer") == set()
    after.stop()


@pytest.mark.parametrize(
    ("environ", "says"),
    [({}, "is encrypted: set LANGGRAPH_AES_KEY"), ({"LANGGRAPH_AES_KEY": OTHER_KEY}, "another key")],
)
def test_without_the_key_it_does_not_start(
    server_factory: Factory, tmp_path: Path, environ: dict[str, str], says: str
) -> None:
    server_factory(data_dir=tmp_path / "data", environ={"LANGGRAPH_AES_KEY": KEY}).start().stop()
    refused = server_factory(data_dir=tmp_path / "data", environ=environ)
    refused.launch()
    assert refused._running.wait(timeout=60) == 2
    assert says in refused.output() and "Traceback" not in refused.output()


def test_a_key_of_another_length_is_refused(server_factory: Factory) -> None:
    refused = server_factory(environ={"LANGGRAPH_AES_KEY": "too short"})
    refused.launch()
    assert refused._running.wait(timeout=60) == 2
    assert "LANGGRAPH_AES_KEY cannot be used: it must be 16, 24 or 32 bytes long." in refused.output()
    assert "too short" not in refused.output()


async def test_encrypted_streams_survive_a_kill(server_factory: Factory) -> None:
    server = server_factory(environ={"LANGGRAPH_AES_KEY": KEY}).start()
    await streams_survive(server, partial(ServerProcess.kill_server, server), streams=8)
    assert files_that_say(server.data_dir, "once upon a time") == set()
    server.stop()
