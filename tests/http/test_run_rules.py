"""What a run is given and what it is bound by: config, headers, limits, durability, and what is only noted."""

import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from langgraph_sdk.client import LangGraphClient
from langgraph_sdk.schema import Config

from tests.http.projects import project
from tests.http.test_runs import STEPS, thread_of, until_status
from tests.server_process import ServerProcess
from tests.waiting import until


async def seen_by(client: LangGraphClient, assistant: str = "reveals", **options: Any) -> dict[str, Any]:
    """What the graph was given."""
    thread_id = options.pop("thread_id", None) or await thread_of(client)
    values = await client.runs.wait(thread_id, assistant, input={}, **options)
    assert isinstance(values, dict)
    seen: dict[str, Any] = values["seen"]
    return seen


async def test_config_of_assistant_and_run(client: LangGraphClient) -> None:
    given: Config = {"tags": ["mine"], "recursion_limit": 33, "configurable": {"a": 1, "b": 1}}
    assistant = await client.assistants.create(
        "reveals", config=given, metadata={"from": "assistant", "x": 1}
    )
    assistant_id = assistant["assistant_id"]
    thread_id = await thread_of(client)
    seen = await seen_by(
        client, assistant_id, thread_id=thread_id,
        config={"configurable": {"b": 2, "langgraph_auth_user_id": "somebody"}, "metadata": {"y": "config"}},
        metadata={"x": 2, "y": 2, "run_id": "mine"},
    )  # fmt: skip
    assert (seen["configurable"]["a"], seen["configurable"]["b"]) == (1, 2)
    assert seen["configurable"]["langgraph_auth_user_id"] == ""
    assert (seen["tags"], seen["recursion_limit"]) == (["mine"], 33)
    metadata = seen["metadata"]
    assert (metadata["from"], metadata["x"], metadata["y"]) == ("assistant", 2, 2)
    assert uuid.UUID(metadata["run_id"])
    assert (metadata["graph_id"], metadata["assistant_id"]) == ("reveals", assistant_id)
    assert (metadata["thread_id"], metadata["run_attempt"]) == (thread_id, 1)
    assert seen["context"] == {}
    again = await seen_by(client, thread_id=thread_id)
    assert (again["configurable"]["a"], again["configurable"]["b"]) == (1, 1), again
    await client.assistants.delete(assistant_id)


async def test_context_and_configurable_mirror_each_other(client: LangGraphClient) -> None:
    by_context = await seen_by(client, context={"tone": "kind", "unknown": 1})
    assert by_context["context"] == {"tone": "kind"}
    assert by_context["configurable"]["tone"] == "kind"
    assert "unknown" not in by_context["configurable"]
    by_config = await seen_by(client, config={"configurable": {"tone": "rude", "unknown": 1}})
    assert by_config["context"] == {"tone": "rude"}
    assert by_config["configurable"]["unknown"] == 1
    with pytest.raises(httpx.HTTPStatusError, match="400"):
        await seen_by(client, context={"tone": "a"}, config={"configurable": {"tone": "b"}})


async def test_the_recursion_limit(client: LangGraphClient) -> None:
    ended = await client.runs.wait(None, "slow", input={"pause": 0, "rounds": 300})
    assert isinstance(ended, dict) and len(ended["log"]) == 300
    failed = await client.runs.wait(
        None, "slow", input={"pause": 0, "rounds": 60}, config={"recursion_limit": 3}, raise_error=False
    )
    assert isinstance(failed, dict) and failed["__error__"]["error"] == "GraphRecursionError"


async def test_the_recursion_limit_of_the_operator(server_factory: Callable[..., ServerProcess]) -> None:
    server = server_factory(environ={"LANGGRAPH_DEFAULT_RECURSION_LIMIT": "7"}).start()
    async with server.sdk() as client:
        given = {"pause": 0, "rounds": 20}
        failed = await client.runs.wait(None, "slow", input=given, raise_error=False)
        assert isinstance(failed, dict) and "limit of 7" in failed["__error__"]["message"]
        mine = await client.runs.wait(None, "slow", input=given, config={"recursion_limit": 50})
        assert isinstance(mine, dict) and len(mine["log"]) == 20
    server.stop()


async def test_headers_stay_outside_unless_they_are_named(
    server: ServerProcess, server_factory: Callable[..., ServerProcess], tmp_path: Path
) -> None:
    sent = {"x-tenant": "t1", "x-private": "p", "x-api-key": "k", "langsmith-trace": "20260101T000000000000Z"}
    rules = {"includes": ["x-*"], "excludes": ["x-private", "x-api-key"]}
    named = project(tmp_path / "named", http={"configurable_headers": rules})
    open_minded = server_factory(config=named).start()
    seen = {}
    for serving in (server, open_minded):
        with serving.http() as http:
            body = {"assistant_id": "reveals", "input": {}}
            answer = http.post("/runs/wait", json=body, headers={**sent, "x-request-id": "asked-for"})
            seen[serving] = answer.json()["seen"]
            assert seen[serving]["configurable"]["langgraph_request_id"] == "asked-for"
    closed, opened = seen[server]["configurable"], seen[open_minded]["configurable"]
    assert {name for name in sent if name in closed} == {"langsmith-trace"}
    assert {name for name in sent if name in opened} == {"langsmith-trace", "x-tenant"}
    open_minded.stop()


async def test_a_run_that_takes_too_long(server_factory: Callable[..., ServerProcess]) -> None:
    server = server_factory(environ={"BG_JOB_TIMEOUT_SECS": "1"}).start()
    async with server.sdk() as client:
        thread_id = await thread_of(client)
        given = {"pause": 0.3, "rounds": 100}
        events = [part.event async for part in client.runs.stream(thread_id, "slow", input=given)]
        assert set(events) == {"metadata", "values"}
        (run,) = await client.runs.list(thread_id)
        assert run["status"] == "timeout"
        thread = await client.threads.get(thread_id)
        assert (thread["status"], thread["error"]) == ("error", {"error": "TimeoutError", "message": ""})
        assert thread["values"]["log"] == ["step0", "step1", "step2"]
        waited = await client.runs.wait(await thread_of(client), "slow", input=given)
        assert isinstance(waited, dict) and waited["log"] == ["step0", "step1", "step2"]
        # It goes on from where it was.
        assert len((await client.runs.wait(thread_id, "slow", input={"pause": 0, "rounds": 5}))["log"]) == 5
    server.stop()


async def test_feedback_keys_are_only_noted(server: ServerProcess, client: LangGraphClient) -> None:
    thread_id = await thread_of(client)
    events = [
        part.event
        async for part in client.runs.stream(thread_id, "steps", input={"log": []}, feedback_keys=["good"])
    ]
    assert events == ["metadata", *["values"] * 4]
    (run,) = await client.runs.list(thread_id)
    assert (run["status"], run["kwargs"]["feedback_keys"]) == ("success", ["good"])
    until(lambda: any("feedback_keys" in line and run["run_id"] in line for line in lines(server)))


def lines(server: ServerProcess) -> list[str]:
    return server.output(1_000_000).splitlines()


@pytest.mark.parametrize(
    ("options", "kept"),
    [
        ({}, 5),
        ({"durability": "sync"}, 5),
        ({"durability": "async"}, 5),
        ({"durability": "exit"}, 1),
        ({"checkpoint_during": False}, 1),
        ({"checkpoint_during": True}, 5),
        ({"checkpoint_during": False, "durability": "sync"}, 5),
    ],
)
async def test_durability(server: ServerProcess, options: dict[str, Any], kept: int) -> None:
    with server.http() as http:
        thread_id = http.post("/threads", json={}).json()["thread_id"]
        body = {"assistant_id": "steps", "input": {"log": []}, **options}
        assert http.post(f"/threads/{thread_id}/runs/wait", json=body).json() == {"log": STEPS}
        assert len(http.post(f"/threads/{thread_id}/history", json={"limit": 10}).json()) == kept
        # With nothing kept on the way, a question is kept at the end all the same.
        body = {"assistant_id": "interrupting", "input": {"log": []}, **options}
        thread_id = http.post("/threads", json={}).json()["thread_id"]
        assert "__interrupt__" in http.post(f"/threads/{thread_id}/runs/wait", json=body).json()
        answer = {"assistant_id": "interrupting", "command": {"resume": "yes"}, **options}
        answered = http.post(f"/threads/{thread_id}/runs/wait", json=answer).json()
        assert answered == {"log": ["prepared", "answer: yes", "finished"]}


async def test_a_thread_that_does_not_exist(server: ServerProcess) -> None:
    body: dict[str, Any] = {"assistant_id": "steps", "input": {"log": []}}
    with server.http() as http:
        for how in ("", "/stream", "/wait"):
            path = f"/threads/{uuid.uuid4()}/runs{how}"
            assert http.post(path, json=body).status_code == 404
            assert http.post(path, json={**body, "if_not_exists": "reject"}).status_code == 404
            assert http.post(path, json={**body, "if_not_exists": "create"}).status_code == 200
            assert http.post(path, json=body).status_code == 200
            assert http.post(path, json={**body, "if_not_exists": "perhaps"}).status_code == 422


async def test_a_later_run_holds_its_thread(client: LangGraphClient) -> None:
    thread_id = await thread_of(client)
    began = time.monotonic()
    run = await client.runs.create(thread_id, "steps", input={"log": []}, after_seconds=1.0)
    assert (run["status"], (await client.threads.get(thread_id))["status"]) == ("pending", "busy")
    await until_status(client, thread_id, run["run_id"], "success")
    assert time.monotonic() - began >= 1.0
    past = await client.runs.create(thread_id, "steps", input={"log": []}, after_seconds=-5)
    await until_status(client, thread_id, past["run_id"], "success", within=2)


def left_alone(server: ServerProcess, how: str, on_disconnect: str | None) -> tuple[str, str]:
    """Begin to wait for a run, or to look on, and hang up: the thread and the run."""
    body: dict[str, Any] = {"assistant_id": "slow", "input": {"pause": 0.1, "rounds": 150}}
    with server.http(timeout=1.0) as http:
        thread_id = http.post("/threads", json={}).json()["thread_id"]
        if how == "wait":
            body |= {"on_disconnect": on_disconnect} if on_disconnect else {}
            with pytest.raises(httpx.ReadTimeout):
                http.post(f"/threads/{thread_id}/runs/wait", json=body)
            run_id = http.get(f"/threads/{thread_id}/runs").json()[0]["run_id"]
        else:
            run_id = http.post(f"/threads/{thread_id}/runs", json=body).json()["run_id"]
            query = {"cancel_on_disconnect": "true"} if on_disconnect == "cancel" else {}
            with http.stream("GET", f"/threads/{thread_id}/runs/{run_id}/{how}", params=query) as answer:
                if how == "stream":
                    next(answer.iter_bytes())
    return thread_id, run_id


async def test_who_hangs_up(server_factory: Callable[..., ServerProcess]) -> None:
    # A client that has gone is noticed when it is written to.
    environ = {"STREAM_HEARTBEAT_SECONDS": "0.5", "SHUTDOWN_GRACE_SECONDS": "0"}
    server = server_factory(environ=environ).start()
    async with server.sdk() as client:
        for how in ("wait", "stream"):
            stays, left = (left_alone(server, how, wish) for wish in (None, "cancel"))
            await until_status(client, *left, "interrupted")
            assert (await client.runs.get(*stays))["status"] == "running"
            assert (await client.threads.get(left[0]))["error"]["error"] == "UserInterrupt"
    server.stop()
