"""`migrate --from sqlite:DIR --to postgresql:URI`: what a server kept on SQLite another goes on with on PostgreSQL."""

import asyncio
import base64
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest
from redis import Redis

from robyn_server.settings import Settings
from robyn_server.storage import postgres as on_postgres
from robyn_server.storage import sqlite as on_sqlite
from robyn_server.storage.encryption.cipher import CLEAR
from robyn_server.storage.interfaces import Storage
from robyn_server.storage.moving import move
from robyn_server.storage.persistence import Persistence
from robyn_server.storage.store.sql_store import StoreOptions
from tests.postgres_server import PostgresServer
from tests.process.test_encryption import KEY, OTHER_KEY, SECRET, fill, post, read_back, thread
from tests.redis_server import RedisServer
from tests.server_process import ROOT, ServerProcess

TESTS = Path(__file__).parent.parent
ENCRYPTIONS = {
    "in clear": (None, {}),
    "by a key": (None, {"LANGGRAPH_AES_KEY": KEY}),
    "by handlers": ("by_blobs", {}),
}


class Site:
    """One project, first on SQLite and then on PostgreSQL."""

    def __init__(self, folder: Path, make: Callable[..., ServerProcess], uri: str, redis_uri: str) -> None:
        self.data_dir = folder / "data"
        self.config = folder / "langgraph.json"
        self.uri = uri
        self.environ = {"VAULT_CALLS": str(folder / "calls"), "SECRET_KEY": "the same for all"}
        self._make = make
        self._shared = {"DATABASE_URI": uri, "REDIS_URI": redis_uri}

    def configured(self, handlers: str | None, environ: dict[str, str]) -> "Site":
        names = ("echo", "interrupting", "failing", "steps", "subgraphs")
        config: dict[str, Any] = {
            "dependencies": [],
            "graphs": {name: f"{TESTS}/project/graphs.py:{name}" for name in names},
            "store": {
                "index": {"embed": f"{TESTS}/project/embedding.py:letters", "dims": 26, "fields": ["$"]}
            },
        }
        config["graphs"]["delta"] = f"{TESTS}/project/delta.py:delta"
        if handlers:
            config["encryption"] = {"path": f"{TESTS}/project_encrypted/vault.py:{handlers}"}
        self.config.write_text(json.dumps(config))
        self.environ |= environ
        return self

    def before(self) -> ServerProcess:
        return self._make(config=self.config, data_dir=self.data_dir, environ=self.environ)

    def after(self) -> ServerProcess:
        return self._make(config=self.config, environ={**self.environ, **self._shared})

    def move(self, **environ: str) -> tuple[int, str]:
        """The command's exit code, and what it says."""
        command = [sys.executable, "-m", "robyn_server", "migrate", "--config", str(self.config)]
        command += ["--from", f"sqlite:{self.data_dir}", "--to", self.uri]
        given = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **self.environ, **environ}
        done = subprocess.run(command, env=given, capture_output=True, text=True, timeout=120, check=False)
        assert "Traceback" not in done.stderr, done.stderr
        return done.returncode, done.stdout + done.stderr


@pytest.fixture
def site(
    server_factory: Callable[..., ServerProcess],
    postgres: PostgresServer,
    redis_server: RedisServer,
    tmp_path: Path,
) -> Site:
    with Redis.from_url(redis_server.uri) as redis:
        redis.flushall()
    return Site(tmp_path, server_factory, postgres.database("moved"), redis_server.uri)


def of(customer: str) -> dict[str, str]:
    return {"X-Encryption-Context": base64.b64encode(json.dumps({"customer": customer}).encode()).decode()}


def fill_more(http: httpx.Client) -> None:
    """What `fill` leaves out: versions, subgraphs, changes instead of values, copies, several namespaces."""
    made = post(http, "/assistants", {"graph_id": "echo", "name": "nul \0 name", "metadata": {"n": 1}})
    http.patch(f"/assistants/{made['assistant_id']}", json={"name": "second"}).raise_for_status()
    for graph in ("subgraphs", "steps"):
        post(http, f"/threads/{thread(http)}/runs/wait", {"assistant_id": graph, "input": {"log": [SECRET]}})
    changing = thread(http)
    for number in range(6):
        said = {"assistant_id": "delta", "input": {"log": [f"{SECRET}-{number}"]}, "metadata": {"n": number}}
        post(http, f"/threads/{changing}/runs/wait", said, headers=of("ann"))
    copy = http.post(f"/threads/{changing}/copy").json()["thread_id"]
    post(http, f"/threads/{copy}/runs/wait", said)
    for number, word in enumerate(("apple", "pear", "plum", "bread", "butter", SECRET)):
        item = {
            "namespace": ["food", str(number % 2)],
            "key": f"k{number}",
            "value": {"text": word, "number": number},
        }
        http.put("/store/items", json=item, headers=of("bob")).raise_for_status()
    timed = {"namespace": ["timed"], "key": "t", "value": {"text": "gone soon"}, "ttl": 60}
    http.put("/store/items", json=timed).raise_for_status()


def everything(http: httpx.Client) -> dict[str, Any]:
    """All that a client can see."""
    threads = post(http, "/threads/search", {"limit": 100, "sort_by": "created_at"})
    seen: dict[str, Any] = {"threads": threads, "crons": post(http, "/runs/crons/search", {"limit": 100})}
    seen["assistants"] = post(http, "/assistants/search", {"limit": 100, "sort_by": "created_at"})
    for one in seen["assistants"]:
        versions = f"/assistants/{one['assistant_id']}/versions"
        seen[versions] = post(http, versions, {"limit": 100})
    for one in threads:
        for path in ("/state?subgraphs=true", "/history?limit=100", "/runs?limit=100"):
            answer = http.get(f"/threads/{one['thread_id']}{path}")
            assert answer.status_code == 200, answer.text
            seen[one["thread_id"] + path] = answer.json()
    seen["namespaces"] = post(http, "/store/namespaces", {"limit": 100})
    for search in (
        {},
        {"query": "bread"},
        {"query": "plum", "filter": {"number": {"$gt": 1}}},
        {"query": SECRET},
    ):
        found = post(http, "/store/items/search", {"namespace_prefix": [], "limit": 100, **search})
        seen[f"store {search}"] = found
    # A run's config names the server that took it.
    return dict(json.loads(re.sub(r"http://127.0.0.1:\d+", "http://server", json.dumps(seen))))


@pytest.mark.parametrize("encryption", ENCRYPTIONS)
def test_a_server_goes_on_where_it_was_copied_to(
    site: Site, postgres: PostgresServer, encryption: str
) -> None:
    handlers, environ = ENCRYPTIONS[encryption]
    server = site.configured(handlers, environ).before().start()
    with server.http() as http:
        waiting = fill(http)
        fill_more(http)
        before = everything(http)
        code, said = site.move()
        assert code == 2 and "is in use by process" in said
    server.stop()

    code, said = site.move()
    assert code == 0, said
    assert "app.db thread: " in said and "rows copied and counted" in said
    assert (SECRET in postgres.dump("moved")) is (encryption == "in clear")
    assert "in clear" in postgres.dump("moved")

    server = site.after().start()
    with server.http() as http:
        after = everything(http)
        for key, seen in before.items():
            assert after[key] == seen, key
        if encryption != "in clear":
            read_back(http, waiting)
        answer = {"assistant_id": "interrupting", "command": {"resume": "novel-answer"}}
        values = post(http, f"/threads/{waiting}/runs/wait", answer)
        assert "answer: novel-answer" in values["log"] and f"{SECRET}-log" in values["log"]
        for one in before["threads"]:
            if one["metadata"].get("graph_id") == "delta":
                more = {"assistant_id": "delta", "input": {"log": ["more"]}}
                values = post(http, f"/threads/{one['thread_id']}/runs/wait", more)
                assert values["log"] == [*one["values"]["log"], "more"]
        http.put("/store/items", json={"namespace": ["food", "0"], "key": "new", "value": {"text": "x"}})
        assert http.delete(f"/threads/{waiting}").status_code in (200, 204)
    server.stop()
    code, said = site.move()
    assert code == 2 and "The database is not empty (table assistant)" in said


def test_a_copy_of_clear_data_with_a_key_is_encrypted(site: Site, postgres: PostgresServer) -> None:
    server = site.configured(None, {}).before().start()
    with server.http() as http:
        waiting = fill(http)
        fill_more(http)
    server.stop()
    site.environ["LANGGRAPH_AES_KEY"] = KEY
    code, said = site.move()
    assert code == 0, said
    assert SECRET not in postgres.dump("moved")
    server = site.after().start()
    with server.http() as http:
        read_back(http, waiting)
    server.stop()


def test_what_cannot_be_copied_leaves_nothing(site: Site, postgres: PostgresServer) -> None:
    assert site.configured(None, {}).move() == (
        2,
        f"robyn_server: There is no database in {site.data_dir}: name the server's data directory.\n",
    )
    server = site.configured(None, {"LANGGRAPH_AES_KEY": KEY}).before().start()
    with server.http() as http:
        fill(http)
    server.stop()
    for key, says in (("", "is encrypted: set LANGGRAPH_AES_KEY"), (OTHER_KEY, "another key")):
        code, said = site.move(LANGGRAPH_AES_KEY=key)
        assert code == 2 and says in said
    # A row that the database refuses, late in the copy.
    assert subprocess_migrate(site) == 0
    postgres.execute("ALTER TABLE item ADD CONSTRAINT short CHECK (key <> 'one')", "moved")
    code, said = site.move()
    assert code == 2 and "Nothing was copied" in said and '"short"' in said
    assert postgres.execute("SELECT count(*) FROM thread", "moved") == [(0,)]
    postgres.execute("ALTER TABLE item DROP CONSTRAINT short", "moved")
    code, said = site.move()
    assert code == 0, said


async def test_items_keep_their_owners_and_their_vectors(postgres: PostgresServer, tmp_path: Path) -> None:
    seen: list[str] = []

    def embed(texts: Sequence[str]) -> list[list[float]]:
        seen.extend(texts)
        return [[float(text.count(letter)) for letter in "abc"] for text in texts]

    kept = Persistence(StoreOptions(index={"embed": embed, "dims": 3, "fields": ["text"]}, index_name="abc"))
    source = await on_sqlite.open_storage(Settings(data_dir=tmp_path), kept)
    await source.store_of("ann").aput(("notes",), "k", {"text": "aab"})
    await source.store_of("bob").aput(("notes",), "k", {"text": "ccc"})
    await source.store_of("bob").aput(("notes",), "unsearchable", {"text": "ccc"}, index=False)
    before = [await found(source, name) for name in ("ann", "bob", None)]
    await source.close()
    uri = postgres.database("owners")
    await asyncio.to_thread(move, tmp_path, uri, CLEAR, seen.append)
    seen.clear()
    target = await on_postgres.open_storage(Settings(data_dir=tmp_path, database_uri=uri), kept)
    assert [await found(target, name) for name in ("ann", "bob", None)] == before
    assert [key for key, _, _ in before[1]] == ["k", "unsearchable"]
    with pytest.raises(PermissionError):
        await target.store_of("bob").aput(("ann",), "k", {})
    assert await target.embed_again() == 0
    assert seen == ["ccc"] * 3, "the queries"
    await target.close()


async def found(storage: Storage, owner: str | None) -> list[tuple[str, dict[str, Any], float | None]]:
    items = await storage.store_of(owner).asearch(("notes",), query="ccc")
    return [(item.key, item.value, item.score) for item in items]


def subprocess_migrate(site: Site) -> int:
    """The plain command, which makes the tables."""
    command = [
        sys.executable,
        "-m",
        "robyn_server",
        "migrate",
        "--data-dir",
        str(site.data_dir.parent / "other"),
    ]
    given = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "DATABASE_URI": site.uri}
    return subprocess.run(command, env=given, capture_output=True, timeout=60, check=False).returncode
