"""Secrets of a run reach the graph, also after a crash, and are found nowhere else."""

import base64
import json
import sqlite3
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.auth.people import ANN, ENVIRON, SERVICE, token
from tests.fakes.webhook_receiver import WebhookReceiver
from tests.server_process import ServerProcess
from tests.tools_agent.stand_ins import Start, ask, programs
from tests.waiting import until

PROJECT = Path(__file__).parent / "project" / "langgraph.json"
MODES = [
    "values",
    "updates",
    "messages",
    "messages-tuple",
    "debug",
    "tasks",
    "checkpoints",
    "custom",
    "events",
]
CHANNELS = ["values", "updates", "messages", "tools", "custom", "lifecycle", "input", "tasks", "checkpoints"]
HELLO = {"messages": [{"role": "user", "content": "hello"}]}


class Secrets:
    """Values that nobody could mistake for anything else."""

    def __init__(self) -> None:
        self.jwt = token(ANN, nonce=uuid.uuid4().hex)
        self.model_key, self.own_key, self.header, self.metadata, self.listed, self.of_assistant = (
            f"hush-{uuid.uuid4().hex}" for _ in range(6)
        )

    def headers(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.jwt}", "x-supabase-access-token": self.header}

    def configurable(self) -> dict[str, Any]:
        return {
            "apiKeys": {"OPENAI_API_KEY": self.model_key},
            "custom_api_key": self.own_key,
            "my_password": self.listed,
        }

    def run(self, assistant: str = "spy", **more: Any) -> dict[str, Any]:
        """The body of a run that uses all of them."""
        return {
            "assistant_id": assistant,
            "input": HELLO,
            "config": {"configurable": self.configurable()},
            "metadata": {"supabaseAccessToken": self.metadata, "m": 1},
            "stream_mode": MODES,
            "stream_subgraphs": True,
            "stream_resumable": True,
            **more,
        }

    def found_in(self, where: str, content: bytes) -> list[str]:
        """Which of them stand there, plain or in base64."""
        return [
            f"{name} in {where}"
            for name, value in vars(self).items()
            if value.encode() in content or base64.b64encode(value.encode())[4:-4] in content
        ]


class Place:
    """A server, what it keeps, and what its graph has seen."""

    def __init__(self, server: ServerProcess, spy_file: Path) -> None:
        self.server = server
        self._spy_file = spy_file

    def seen(self) -> list[dict[str, Any]]:
        """What the graph was given, each time that it looked."""
        return [json.loads(line) for line in self._spy_file.read_text().splitlines()]

    def leaks(self, secrets: Secrets) -> list[str]:
        """Where in the files of the server a secret stands in clear: databases, their journals, spill, log."""
        if self.seen():
            secrets.ticket = self.seen()[-1]["collections_access"]["ticket"]
        files = [path for path in self.server.data_dir.rglob("*") if path.is_file()]
        assert {"app.db", "checkpoints.db"} <= {path.name for path in files}
        # What may be kept is found like this, so what must not be would be found too.
        until(lambda: ANN in self.server.output(), "the access log names nobody")
        contents = {path.name: path.read_bytes() for path in (*files, self.server.log)}
        assert any(
            name.startswith("app.db") and ANN.encode() in content for name, content in contents.items()
        )
        return [found for name, content in contents.items() for found in secrets.found_in(name, content)]

    def sealed(self, run_id: str) -> bytes | None:
        """The secrets of a run, as they are kept."""
        with sqlite3.connect(self.server.data_dir / "app.db") as db:
            (row,) = db.execute("SELECT secrets FROM run WHERE run_id = ?", (run_id,)).fetchall()
        return row[0]


@pytest.fixture
def place(server_factory: Callable[..., ServerProcess], tmp_path: Path) -> Place:
    spy_file = tmp_path / "seen.jsonl"
    spy_file.touch()
    environ = {
        **ENVIRON,
        "SPY_FILE": str(spy_file),
        "SECRET_CONFIG_KEYS": "my_password",
        "OUTBOUND_ALLOW": "127.0.0.0/8",
        "LOG_LEVEL": "DEBUG",
    }
    return Place(server_factory(config=PROJECT, environ=environ).start(), spy_file)


@pytest.fixture
def start() -> Iterator[Start]:
    with programs() as begin:
        yield begin


def check_seen(seen: dict[str, Any], secrets: Secrets) -> None:
    assert secrets.configurable().items() <= seen.items()
    assert seen["supabaseAccessToken"] == secrets.metadata
    assert seen["x-supabase-access-token"] == seen["token"] == secrets.jwt
    assert seen["identity"] == ANN


async def test_they_reach_the_graph_and_nothing_else(place: Place) -> None:
    secrets, said = Secrets(), b""
    async with (
        httpx.AsyncClient(base_url=place.server.url, headers=secrets.headers(), timeout=60) as http,
        WebhookReceiver() as hook,
    ):

        async def hear(method: str, path: str, body: Any = None, headers: Any = None) -> httpx.Response:
            nonlocal said
            answer = await http.request(method, path, json=body, headers=headers)
            assert answer.is_success, (path, answer.text)
            said += answer.content + str(answer.headers).encode()
            return answer

        thread = (await hear("POST", "/threads", {})).json()["thread_id"]
        at = f"/threads/{thread}"
        await hear("POST", f"{at}/runs/stream", secrets.run(webhook=hook.url("/ended")))
        (run,) = (await hear("GET", f"{at}/runs")).json()
        assert run["status"] == "success"
        assert len(place.seen()) == 2
        for seen in place.seen():
            check_seen(seen, secrets)
        (call,) = await hook.called("/ended")
        said += call.raw
        for path in ("", "/state", "/history", f"/runs/{run['run_id']}", f"/runs/{run['run_id']}/join"):
            await hear("GET", f"{at}{path}")
        await hear("GET", f"{at}/runs/{run['run_id']}/stream", headers={"last-event-id": "-"})
        await hear("POST", "/threads/search", {})
        await hear("POST", "/runs/wait", secrets.run())
        await hear("POST", "/runs/batch", [secrets.run()])
        schedule = {"schedule": "0 0 1 1 *", "webhook": hook.url("/cron")}
        await hear("POST", "/runs/crons", secrets.run(**schedule))
        await hear("POST", f"{at}/runs/crons", secrets.run(**schedule))
        await hear("POST", "/runs/crons/search", {})
        said += await protocol(http, secrets)
        assistant = {
            "graph_id": "spy",
            "config": {"configurable": {"custom_api_key": secrets.of_assistant}},
        }
        made = (await hear("POST", "/assistants", assistant)).json()
        assistant_at = f"/assistants/{made['assistant_id']}"
        kept = secrets.run(made["assistant_id"], config={})
        await hear("POST", f"{at}/runs/stream", kept)
        await hear("GET", at)
        await hear("GET", f"{at}/history")
        assert place.seen()[-1]["custom_api_key"] == secrets.of_assistant
        # As a form does: what was read is saved again, and sent with the run.
        form = (await hear("GET", assistant_at)).json()["config"]
        await hear("PATCH", assistant_at, {"config": form})
        await hear("POST", f"{at}/runs/stream", {**kept, "config": form})
        assert place.seen()[-1]["custom_api_key"] == secrets.of_assistant
        for path in ("/assistants/search", f"{assistant_at}/versions"):
            await hear("POST", path, {})
        await hear("POST", f"{assistant_at}/latest", {"version": 1})
        await hear("GET", f"{assistant_at}/schemas")
    assert secrets.found_in("what was said", said) == []
    assert place.leaks(secrets) == []
    assert place.sealed(run["run_id"]) is None


async def protocol(http: httpx.AsyncClient, secrets: Secrets) -> bytes:
    """A run of the thread protocol, and all its events."""
    thread = (await http.post("/threads", json={})).json()["thread_id"]
    run = secrets.run()
    params = {key: run[key] for key in ("assistant_id", "input", "config", "metadata")}
    command = {"id": 1, "method": "run.start", "params": params}
    started = await http.post(f"/threads/{thread}/commands", json=command)
    assert started.json()["type"] == "success", started.text
    said = started.content
    async with http.stream("POST", f"/threads/{thread}/stream/events", json={"channels": CHANNELS}) as events:
        async for line in events.aiter_lines():
            said += line.encode()
            if '"completed"' in line and '"namespace":[]' in line:
                break
    assert b"nothing" in said
    return said


def test_they_survive_a_crash_sealed_and_are_gone_at_the_end(place: Place) -> None:
    secrets = Secrets()
    with place.server.http() as http:
        http.headers.update(secrets.headers())
        thread = http.post("/threads", json={}).json()["thread_id"]
        body = secrets.run(input={**HELLO, "pause": 1.0})
        run = http.post(f"/threads/{thread}/runs", json=body).json()["run_id"]

        def status() -> str:
            return str(http.get(f"/threads/{thread}/runs/{run}").json()["status"])

        until(lambda: status() == "running", "the run does not start")
        assert place.leaks(secrets) == []
        place.server.kill_server()
        sealed = place.sealed(run)
        assert sealed
        assert place.leaks(secrets) == []
        place.server.is_back()
        until(lambda: status() == "success", "the run does not come to its end")
        events = http.get(f"/threads/{thread}/runs/{run}/stream", headers={"last-event-id": "-"}).content
    assert b'"attempt":2' in events
    for seen in place.seen():
        check_seen(seen, secrets)
    assert len(place.seen()) == 2
    assert place.sealed(run) is None
    assert secrets.found_in("events", events) == []
    assert place.leaks(secrets) == []


def test_the_agents_own_key_is_used_and_kept_nowhere(place: Place, start: Start) -> None:
    secrets = Secrets()
    llm = start("-m", "robyn_server.testing.fake_llm", "--port", "0")
    with place.server.http() as http:
        http.headers.update(secrets.headers())
        body = secrets.run("agent", input={"messages": [{"role": "user", "content": "What is 2 + 2?"}]})
        body["config"]["configurable"] |= {
            "model_name": "custom:",
            "base_url": llm,
            "custom_model_name": "fake",
        }
        thread = http.post("/threads", json={}).json()["thread_id"]
        said = http.post(f"/threads/{thread}/runs/stream", json=body).content
        state = http.get(f"/threads/{thread}/state").json()
        assert state["values"]["messages"][-1]["content"] == "4"
    (request,) = ask("GET", llm.removesuffix("/v1") + "/requests")
    assert request["authorization"] == f"Bearer {secrets.own_key}"
    assert secrets.found_in("what was said", said + json.dumps(state).encode()) == []
    assert place.leaks(secrets) == []


def test_a_graph_that_fails_with_one_does_not_spread_it(place: Place) -> None:
    secrets = Secrets()
    with place.server.http() as http:
        http.headers.update(secrets.headers())
        body = secrets.run("agent")
        body["config"]["configurable"] |= {"model_name": "custom:", "base_url": "http://127.0.0.1:9/v1"}
        thread = http.post("/threads", json={}).json()["thread_id"]
        said = http.post(f"/threads/{thread}/runs/stream", json=body).content
        (run,) = http.get(f"/threads/{thread}/runs").json()
    assert run["status"] == "error"
    assert place.sealed(run["run_id"]) is None
    assert secrets.found_in("what was said", said) == []
    assert place.leaks(secrets) == []
    assert SERVICE["x-api-key"] not in place.server.output(10_000_000)
