"""What the command line refuses with one sentence, before the port is bound, and a backup while the server works."""

import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tests.process.test_commands import refusal, run
from tests.server_process import PROJECT, ServerProcess
from tests.waiting import free_port, listens

Factory = Callable[..., ServerProcess]


def refused(*flags: str, folder: Path) -> str:
    """The sentence of a `serve` that could not start; its port was never bound."""
    port = free_port()
    sentence = refusal(run("serve", "--port", str(port), *flags, folder=folder))
    assert not listens(port)
    return sentence


@pytest.mark.parametrize("file", ["app.db", "store.db", "checkpoints.db"])
def test_a_database_newer_than_the_server(server_factory: Factory, project: Path, file: str) -> None:
    server = server_factory(config=project / "langgraph.json").start()
    server.stop()
    with closing(sqlite3.connect(server.data_dir / file, isolation_level=None)) as connection:
        connection.execute("UPDATE schema_version SET version = version + 1000")
    assert "newer" in refused("--data-dir", str(server.data_dir), folder=project)


def test_a_data_directory_in_use(server_factory: Factory, project: Path) -> None:
    server = server_factory().start()
    sentence = refused("--data-dir", str(server.data_dir), folder=project)
    assert f"is in use by process {server.server_pid}" in sentence
    assert server.answers()
    server.stop()


def test_a_data_directory_that_is_a_file(project: Path) -> None:
    (project / "data").write_text("not a folder")
    assert "--data-dir" in refused("--data-dir", "data", folder=project)


def test_a_langgraph_json_that_is_none(project: Path) -> None:
    (project / "langgraph.json").write_text("{not json")
    assert "langgraph.json" in refused(folder=project)


def test_a_backup_taken_while_the_server_works(server_factory: Factory, tmp_path: Path) -> None:
    server = server_factory().start()
    with server.http() as client:
        thread_id = client.post("/threads", json={}).json()["thread_id"]
        body = {"assistant_id": "steps", "input": {"log": []}}
        values = client.post(f"/threads/{thread_id}/runs/wait", json=body).json()
        item = {"namespace": ["kept"], "key": "item", "value": {"number": 1}}
        client.put("/store/items", json=item)
        busy = client.post(
            f"/threads/{thread_id}/runs", json={"assistant_id": "slow", "input": {"rounds": 20}}
        )
        assert busy.status_code == 200
        backup = tmp_path / "backup"
        words = ["backup", str(backup), "--data-dir", str(server.data_dir), "--config", str(PROJECT)]
        copied: subprocess.CompletedProcess[str] = run(*words, folder=tmp_path)
        assert copied.returncode == 0, copied
        assert client.get("/ok").status_code == 200
    restored = server_factory(data_dir=backup).start()
    with restored.http() as client:
        log = client.get(f"/threads/{thread_id}/state").json()["values"]["log"]
        assert log[: len(values["log"])] == values["log"]
        found = client.get("/store/items", params={"namespace": "kept", "key": "item"}).json()
        assert found["value"] == {"number": 1}
        joined = client.get(f"/threads/{thread_id}/runs/{busy.json()['run_id']}/join").json()
        assert joined["log"][-1] == "step19"
    restored.stop()
    server.stop()
