"""What nodes say to those who watch them: `/ok`, `/metrics`, and the limit of requests that all count together."""

import os
from pathlib import Path

import httpx

from tests.redis_server import RedisServer
from tests.scale.conftest import Nodes
from tests.waiting import free_port, until

SLOW = {"assistant_id": "slow", "input": {"log": [], "rounds": 50, "pause": 0.2}}


def gauges(url: str) -> dict[str, float]:
    lines = httpx.get(f"{url}/metrics").text.splitlines()
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines if line[0] != "#")}


def test_every_node_shows_the_queue_of_all_and_its_own_slots(nodes: Nodes) -> None:
    port = free_port()
    nodes.environ["SHUTDOWN_GRACE_SECONDS"] = "1"
    api, worker = nodes.api("--no-worker"), nodes.worker("--slots", "2", "--worker-port", str(port))
    watched = f"http://127.0.0.1:{port}"
    assert httpx.get(f"{watched}/ok").json() == {"ok": True, "services": {}}
    assert httpx.get(f"{watched}/ok?check_db=1").status_code == 200
    assert [httpx.get(f"{watched}{path}").status_code for path in ("/threads", "/ok/x")] == [404, 404]
    assert httpx.post(f"{watched}/ok").status_code == 404

    with api.http() as client:
        for _ in range(3):
            thread_id = client.post("/threads", json={}).json()["thread_id"]
            client.post(f"/threads/{thread_id}/runs", json=SLOW)
    until(lambda: gauges(watched)["lg_api_workers_active"] == 2, "two runs do not go on")
    for url in (api.url, watched):
        until(
            lambda url=url: (
                (seen := gauges(url))["lg_api_num_running_runs"] == 2
                and seen["lg_api_num_pending_runs"] == 1
                and seen["robyn_server_busy_workers"] == 1
            ),
            f"{url} does not show the queue",
        )
    assert gauges(api.url)["lg_api_workers_active"] == 0

    worker.terminate()
    until(lambda: httpx.get(f"{watched}/ok").status_code == 503, "it does not say that it drains")
    worker.has_ended()
    until(lambda: gauges(api.url)["lg_api_num_pending_runs"] == 3, "it handed nothing back")


def test_a_worker_listens_nowhere_unless_told_to(nodes: Nodes) -> None:
    port = free_port()
    quiet, told = nodes.worker(), nodes.worker("--worker-port", str(port))
    assert [listening(one.server_pid) for one in (quiet, told)] == [set(), {port}]


def listening(pid: int) -> set[int]:
    """The ports on which a process accepts connections."""
    opened = {os.readlink(file) for file in Path(f"/proc/{pid}/fd").iterdir()}
    rows = [
        row.split() for name in ("tcp", "tcp6") for row in Path(f"/proc/net/{name}").read_text().splitlines()
    ]
    return {
        int(row[1].rpartition(":")[2], 16)
        for row in rows
        if row[3] == "0A" and f"socket:[{row[9]}]" in opened
    }


def test_nodes_count_requests_together_and_pass_them_while_redis_is_away(nodes: Nodes) -> None:
    redis = RedisServer()
    nodes.environ |= {"RATE_LIMIT_PER_MINUTE": "5", "REDIS_URI": redis.start().uri}
    try:
        servers = [nodes.api("--no-worker"), nodes.api("--no-worker")]
        seen = [httpx.get(f"{servers[turn % 2].url}/info") for turn in range(16)]
        refused = [answer for answer in seen if answer.status_code == 429]
        # A minute of the clock may have ended meanwhile.
        assert len(refused) >= 6 and seen[0].status_code == 200
        assert seen[0].json()["host"] == seen[1].json()["host"]
        assert [
            httpx.get(f"{one.url}{path}").status_code for one in servers for path in ("/ok", "/metrics")
        ] == ([200] * 4)
        redis.stop()
        assert all(httpx.get(f"{one.url}/info").status_code == 200 for one in servers for _ in range(8))
        assert "Requests pass without a limit" in servers[0].output()
    finally:
        redis.end()


def test_nodes_without_the_shared_key_warn_or_refuse(nodes: Nodes) -> None:
    del nodes.environ["SECRET_KEY"]
    alone = nodes.api()
    assert "SECRET_KEY is not set: other servers" in alone.output()
    for node in (nodes.unstarted("worker"), nodes.unstarted("serve", "--no-worker")):
        node.launch()
        until(lambda node=node: "needs SECRET_KEY" in node.output(), "it does not refuse")
