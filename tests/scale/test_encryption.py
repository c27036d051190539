"""Nodes with encryption on one PostgreSQL and one Redis: neither can be read, and every node reads all of it."""

import base64
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from redis import Redis

from tests.postgres_server import PostgresServer
from tests.process.test_encryption import KEY, SECRET, fill, post, read_back, thread
from tests.redis_server import RedisServer
from tests.scale.conftest import Nodes
from tests.server_process import ServerProcess

TESTS = Path(__file__).parent.parent
TOGETHER = 4


def redis_dump(uri: str) -> str:
    """All that Redis keeps."""
    said: list[str] = []
    with Redis.from_url(uri) as redis:
        for key in redis.scan_iter():
            kept: Any = redis.xrange(key) if redis.type(key) == b"stream" else redis.dump(key)
            said.append(f"{key!r} {kept!r}")
    return "\n".join(said)


def test_nothing_can_be_read_in_the_databases_and_everything_through_any_node(
    nodes: Nodes, postgres: PostgresServer, redis_server: RedisServer
) -> None:
    clear = nodes.api()
    with clear.http() as http:
        fill(http)
    assert SECRET in postgres.dump("scale") and SECRET in redis_dump(redis_server.uri)
    clear.stop()

    postgres.database("scale")
    with Redis.from_url(redis_server.uri) as redis:
        redis.flushall()
    nodes.environ["LANGGRAPH_AES_KEY"] = KEY
    here, there = nodes.api("--no-worker"), nodes.api("--no-worker")
    nodes.worker()
    with here.http() as http, there.http() as other:
        waiting = fill(http)
        kept = redis_dump(redis_server.uri)
        assert "events:" in kept and "messages" in kept, "kinds of events are in clear"
        assert SECRET not in kept
        dump = postgres.dump("scale")
        assert SECRET not in dump and "in clear" in dump
        read_back(other, waiting)
        replayed = {"assistant_id": "echo", "input": {"messages": SECRET}, "stream_resumable": True}
        thread_id = thread(http)
        run = post(http, f"/threads/{thread_id}/runs", replayed)
        headers = {"Last-Event-ID": "-"}
        stream = other.get(f"/threads/{thread_id}/runs/{run['run_id']}/stream", headers=headers)
        assert f"you said: {SECRET}" in stream.text


@pytest.fixture
def vault(
    server_factory: Callable[..., ServerProcess],
    postgres: PostgresServer,
    redis_server: RedisServer,
    tmp_path: Path,
) -> Callable[[], ServerProcess]:
    """Makes nodes with a project's own encryption handlers, on an empty database. Not started."""
    config = tmp_path / "langgraph.json"
    names = ("echo", "interrupting", "failing")
    graphs = {name: f"{TESTS}/project/graphs.py:{name}" for name in names}
    graphs["delta"] = f"{TESTS}/project/delta.py:delta"
    handlers = {"path": f"{TESTS}/project_encrypted/vault.py:by_blobs"}
    config.write_text(json.dumps({"dependencies": [], "graphs": graphs, "encryption": handlers}))
    environ = {
        "SECRET_KEY": "the same for all",
        "VAULT_CALLS": str(tmp_path / "calls"),
        "DATABASE_URI": postgres.database("vault"),
        "REDIS_URI": redis_server.uri,
    }
    return lambda: server_factory(config=config, environ=environ)


def of(customer: str) -> dict[str, str]:
    context = base64.b64encode(json.dumps({"customer": customer}).encode()).decode()
    return {"X-Encryption-Context": context}


def test_nodes_that_start_together_read_one_another(
    vault: Callable[[], ServerProcess], postgres: PostgresServer, tmp_path: Path
) -> None:
    nodes = [vault() for _ in range(TOGETHER)]
    with ThreadPoolExecutor(TOGETHER) as pool:
        list(pool.map(ServerProcess.start, nodes))
    for counter in ("schema_version", "store_schema_version", "key_schema_version"):
        ((versions, newest),) = postgres.execute(f"SELECT count(*), max(version) FROM {counter}", "vault")
        assert versions == newest, "each step was applied once"
    assert postgres.execute("SELECT count(*) FROM sealed_with", "vault") == [(1,)]
    threads: list[tuple[str, str]] = []
    for number, node in enumerate(nodes):
        customer = ("ann", "bob")[number % 2]
        with httpx.Client(base_url=node.url, headers=of(customer), timeout=30) as http:
            threads.append((thread(http), customer))
            for word in ("one", "two", "three", "four"):
                said = {"assistant_id": "delta", "input": {"log": [f"{SECRET} {word}"]}}
                post(http, f"/threads/{threads[-1][0]}/runs/wait", said)
    assert SECRET not in postgres.dump("vault")
    for node in nodes:
        with node.http() as http:
            for thread_id, _ in threads:
                values = http.get(f"/threads/{thread_id}/state").json()["values"]
                assert values["log"] == [f"{SECRET} {word}" for word in ("one", "two", "three", "four")]
                assert len(http.get(f"/threads/{thread_id}/history?limit=100").json()) == 12
    for node in nodes[1:]:
        node.stop()
    # Nobody's data stand in the way of others': without bob's key only bob's cannot be read.
    (tmp_path / "bob.locked").touch()
    fresh = vault().start()
    with fresh.http() as http:
        for thread_id, customer in threads:
            assert http.get(f"/threads/{thread_id}/state").status_code == (503 if customer == "bob" else 200)
