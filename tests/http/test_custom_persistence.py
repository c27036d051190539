"""`store.path` and `checkpointer.path`: a project's own store and saver, on real servers."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from robyn_server.errors import StartupError
from robyn_server.runtime import open_runtime, prepare
from robyn_server.settings import Settings
from tests.postgres_server import PostgresServer
from tests.server_process import ServerProcess
from tests.waiting import until

KEEPERS = Path(__file__).parent.parent / "project_persistence" / "keepers.py"
Factory = Callable[..., ServerProcess]


def project(folder: Path, **sections: Any) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / "langgraph.json"
    graphs = {name: f"{KEEPERS}:{name}" for name in ("remembers", "moody")}
    config.write_text(json.dumps({"dependencies": [str(KEEPERS.parent)], "graphs": graphs, **sections}))
    return config


def named(name: str) -> dict[str, str]:
    return {"path": f"{KEEPERS}:{name}"}


def ran(http: httpx.Client, mark: str = "m", **body: Any) -> str:
    """A thread that waits at the graph's question."""
    thread_id: str = http.post("/threads", json={"metadata": {"a": 1}}).json()["thread_id"]
    asked = {"assistant_id": "remembers", "input": {"mark": mark}, **body}
    http.post(f"/threads/{thread_id}/runs/wait", json=asked).raise_for_status()
    return thread_id


def state(http: httpx.Client, thread_id: str) -> Any:
    return http.get(f"/threads/{thread_id}/state").json()


def history(http: httpx.Client, thread_id: str) -> list[Any]:
    found: list[Any] = http.get(f"/threads/{thread_id}/history", params={"limit": 100}).json()
    return found


def test_a_plain_saver_and_store(server_factory: Factory, tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    config = project(tmp_path / "project", checkpointer=named("plain_saver"), store=named("opened_store"))
    server = server_factory(config=config, environ={"JOURNAL": str(journal)}).start()
    with server.http() as http:
        thread_id = ran(http, "first")
        shown = state(http, thread_id)
        assert shown["values"] == {"log": ["InMemoryStore"], "mark": "first"}
        assert shown["next"] == ["ask"]
        assert len(history(http, thread_id)) == 3
        # The routes see what the graph put, and the other way round.
        item = http.get("/store/items", params={"namespace": "graph.notes", "key": thread_id}).json()
        assert item["value"] == {"text": "first"}
        searched = {"namespace_prefix": ["graph"], "filter": {"text": "first"}}
        assert [one["key"] for one in http.post("/store/items/search", json=searched).json()["items"]] == [
            thread_id
        ]
        assert http.post("/store/namespaces", json={}).json() == {"namespaces": [["graph", "notes"]]}
        put = {"namespace": ["langgraph"], "key": "k", "value": {}}
        assert http.put("/store/items", json=put).status_code == 400
        refused = http.put("/store/items", json={**put, "namespace": ["a"], "ttl": 5})
        assert refused.status_code == 501
        assert "TTL" in refused.json()["detail"]
        # State updates and resumption.
        update = {"values": {"mark": "changed"}, "as_node": "remember"}
        http.post(f"/threads/{thread_id}/state", json=update).raise_for_status()
        assert state(http, thread_id)["values"]["mark"] == "changed"
        resumed = {"assistant_id": "remembers", "command": {"resume": "yes"}}
        answer = http.post(f"/threads/{thread_id}/runs/wait", json=resumed)
        assert answer.json()["log"] == ["InMemoryStore", "yes"]

        copied = http.post(f"/threads/{thread_id}/copy").json()["thread_id"]
        theirs, ours = history(http, thread_id), history(http, copied)
        assert [one["values"] for one in ours] == [one["values"] for one in theirs]
        assert [one["checkpoint_id"] for one in ours] == [one["checkpoint_id"] for one in theirs]
        assert {one["checkpoint"]["thread_id"] for one in ours} == {copied}

        waiting = ran(http, "second")
        copy_of_waiting = http.post(f"/threads/{waiting}/copy").json()["thread_id"]
        assert state(http, copy_of_waiting)["interrupts"] == state(http, waiting)["interrupts"] != []
        answer = http.post(f"/threads/{copy_of_waiting}/runs/wait", json=resumed)
        assert answer.json()["log"] == ["InMemoryStore", "yes"]
        assert state(http, waiting)["next"] == ["ask"]

        run_id = http.get(f"/threads/{thread_id}/runs").json()[0]["run_id"]
        rollback = {"assistant_id": "remembers", "input": {}, "multitask_strategy": "rollback"}
        for refused in (
            http.delete(f"/threads/{thread_id}/runs/{run_id}"),
            http.post(f"/threads/{thread_id}/runs/{run_id}/cancel", params={"action": "rollback"}),
        ):
            assert refused.status_code == 501, refused.text
            assert "adelete_for_runs" in refused.json()["detail"]
        # As a strategy it is taken, as on the reference: the other run goes, its checkpoints stay.
        for path in ("/runs/crons", f"/threads/{thread_id}/runs/crons"):
            http.post(path, json={**rollback, "schedule": "0 0 1 1 *"}).raise_for_status()
        before = len(history(http, waiting))
        stopped = http.post(f"/threads/{waiting}/runs", json={**rollback, "after_seconds": 60}).json()[
            "run_id"
        ]
        later = http.post(f"/threads/{waiting}/runs/wait", json={**rollback, "input": {"mark": "later"}})
        assert later.json()["mark"] == "later"
        assert http.get(f"/threads/{waiting}/runs/{stopped}").status_code == 404
        assert len(history(http, waiting)) > before
        keep = {"thread_ids": [thread_id], "strategy": "keep_latest"}
        for refused in (
            http.post("/threads/prune", json=keep),
            http.post("/threads", json={"ttl": {"ttl": 5, "strategy": "keep_latest"}}),
        ):
            assert refused.status_code == 501, refused.text
            assert "aprune" in refused.json()["detail"]
        weighed = http.get(f"/threads/{thread_id}/storage")
        assert weighed.status_code == 501
        assert weighed.json()["detail"] == (
            "Checkpoint storage is only reported for the built-in checkpointer."
        )
        assert http.delete(f"/threads/{copied}").status_code == 204
        assert f"deleted {copied}" in journal.read_text()
    server.stop()
    assert "store closed" in journal.read_text()
    assert (
        "Counting has no adelete_for_runs: runs cannot be deleted or cancelled with rollback, and strategy"
        in server.output()
    )
    assert not list(server.data_dir.glob("checkpoints.db*"))


def test_a_saver_with_every_method(server_factory: Factory, tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    config = project(tmp_path / "project", checkpointer={"backend": "custom", **named("opened_saver")})
    environ = {"JOURNAL": str(journal), "CHECKPOINTS_PER_THREAD": "1", "LANGGRAPH_AES_KEY": "k" * 32}
    server = server_factory(config=config, environ=environ).start()
    with server.http() as http:
        thread_id = ran(http)
        until(lambda: len(history(http, thread_id)) == 1, "it is not pruned")
        assert "pruned keep_latest" in journal.read_text()
        run_id = http.get(f"/threads/{thread_id}/runs").json()[0]["run_id"]
        assert http.delete(f"/threads/{thread_id}/runs/{run_id}").status_code == 204
        assert "deleted for runs" in journal.read_text()
        assert history(http, thread_id) == []
    server.stop()
    assert journal.read_text().splitlines()[-1] == "saver closed"
    assert "Encryption does not reach" in server.output(10_000_000)


def test_a_store_with_a_time_to_live(server_factory: Factory, tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    config = project(tmp_path / "project", store={**named("made_store"), "ttl": {"default_ttl": 7}})
    server = server_factory(config=config, environ={"JOURNAL": str(journal)}).start()
    with server.http() as http:
        put = {"namespace": ["a"], "key": "k", "value": {"n": 1}}
        http.put("/store/items", json=put).raise_for_status()
        http.put("/store/items", json={**put, "ttl": 3}).raise_for_status()
        listed = http.post("/store/namespaces", json={})
        assert (listed.status_code, listed.json()["detail"]) == (501, "Mortal lists no namespaces")
    said = journal.read_text().splitlines()
    assert [line for line in said if line.startswith("ttl")] == ["ttl 7", "ttl 3.0"]
    until(lambda: "swept" in journal.read_text(), "it is not swept")


def test_a_saver_that_fails_fails_the_run_and_nothing_else(server_factory: Factory, tmp_path: Path) -> None:
    config = project(tmp_path / "project", checkpointer=named("unwell_saver"))
    server = server_factory(config=config, environ={"JOURNAL": str(tmp_path / "journal")}).start()
    pid = server.server_pid
    with server.http() as http:
        sick, well = ran(http, "sick"), ran(http, "well")
        (run,) = http.get(f"/threads/{sick}/runs").json()
        assert run["status"] == "error"
        thread = http.get(f"/threads/{sick}").json()
        assert (thread["status"], thread["error"]["message"]) == ("error", "the backend is away")
        for asked in (
            http.get(f"/threads/{sick}/state"),
            http.post(f"/threads/{sick}/state", json={"values": {"mark": "x"}}),
        ):
            assert asked.status_code == 424, asked.text
            assert asked.json()["detail"] == "The checkpointer failed: RuntimeError: the backend is away"
        moody = ran(http, assistant_id="moody")
        unread = http.get(f"/threads/{moody}/state")
        assert (unread.status_code, unread.json()["detail"]) == (
            424,
            "The factory of graph 'moody' failed: RuntimeError: not today",
        )
        assert http.post(f"/threads/{sick}/copy").status_code == 200
        assert state(http, well)["next"] == ["ask"]
        assert http.delete(f"/threads/{sick}").status_code == 204
    assert server.server_pid == pid


def test_what_is_kept_elsewhere_is_there_after_a_restart(
    server_factory: Factory, tmp_path: Path, postgres: PostgresServer
) -> None:
    config = project(
        tmp_path / "project", checkpointer=named("postgres_saver"), store=named("postgres_store")
    )
    environ = {"JOURNAL": str(tmp_path / "journal"), "KEPT_AT": postgres.database("kept")}
    server = server_factory(config=config, environ=environ).start()
    with server.http() as http:
        thread_id = ran(http, "kept")
    server.kill_server()
    server.is_back()
    with server.http() as http:
        assert state(http, thread_id)["values"] == {"log": ["AsyncPostgresStore"], "mark": "kept"}
        item = http.get("/store/items", params={"namespace": "graph.notes", "key": thread_id}).json()
        assert item["value"] == {"text": "kept"}
        copied = http.post(f"/threads/{thread_id}/copy").json()["thread_id"]
        assert state(http, copied)["interrupts"] == state(http, thread_id)["interrupts"] != []
        keep = {"thread_ids": [copied], "strategy": "keep_latest"}
        assert http.post("/threads/prune", json=keep).json() == {"pruned_count": 1}
        assert len(history(http, copied)) == 1
    assert postgres.execute(
        f"SELECT count(*) > 0 FROM checkpoints WHERE thread_id = '{thread_id}'", "kept"
    ) == [(True,)]


def test_a_thread_with_a_running_run_can_be_deleted(server_factory: Factory, tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    config = project(tmp_path / "project", checkpointer=named("plain_saver"))
    server = server_factory(config=config, environ={"JOURNAL": str(journal)}).start()
    with server.http() as http:
        thread_id = http.post("/threads", json={}).json()["thread_id"]
        body = {"assistant_id": "remembers", "input": {"mark": "x"}}
        for _ in range(5):
            http.post(f"/threads/{thread_id}/runs", json=body).raise_for_status()
        assert http.delete(f"/threads/{thread_id}").status_code == 204
        until(lambda: http.get(f"/threads/{thread_id}").status_code == 404, "it is still there")
    assert f"deleted {thread_id}" in journal.read_text()


@pytest.mark.parametrize(
    ("sections", "says"),
    [
        ({"store": {"path": "./nowhere.py:store"}}, "nowhere.py does not exist; correct its path in"),
        ({"store": named("missing")}, "has nothing named 'missing'"),
        ({"store": named("plain_saver")}, "must give a BaseStore, not Counting: name another object."),
        ({"store": named("no_saver")}, "must give a BaseStore, not str: name another object."),
        (
            {"store": named("undecorated")},
            "names a generator: decorate it with @contextlib.asynccontextmanager.",
        ),
        ({"store": named("fails")}, "cannot be opened: RuntimeError: no such database"),
        (
            {"store": {**named("opened_store"), "ttl": {"default_ttl": 1}}},
            'gives a InMemoryStore, which has no time to live (supports_ttl): remove "store.ttl".',
        ),
        ({"checkpointer": named("opened_store")}, "must give a BaseCheckpointSaver, not InMemoryStore"),
        (
            {"checkpointer": named("Half")},
            "which lacks aput, aput_writes, aget_tuple, alist, adelete_thread: this server needs them.",
        ),
        (
            {"checkpointer": {**named("plain_saver"), "ttl": {"strategy": "keep_latest", "default_ttl": 1}}},
            "has no aprune: threads cannot be pruned",
        ),
        (
            {"checkpointer": {"backend": "mongo", "uri": "mongodb://x"}},
            "'mongo', which this server does not have",
        ),
        ({"checkpointer": {"backend": "custom"}}, 'is "custom" without a "path"'),
    ],
)
async def test_what_cannot_be_used_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sections: dict[str, Any], says: str
) -> None:
    monkeypatch.setenv("JOURNAL", str(tmp_path / "journal"))
    settings = Settings(config_path=project(tmp_path / "project", **sections), data_dir=tmp_path)
    with pytest.raises(StartupError) as refused:
        await open_runtime(prepare(settings))
    assert says in str(refused.value)
    assert "\n" not in str(refused.value)
