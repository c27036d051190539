"""Traces for LangSmith and for an OpenTelemetry collector: they arrive without secrets, and nobody needs them."""

import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.auth.people import ANN, token
from tests.fakes.trace_receiver import TraceReceiver, receiving
from tests.server_process import ServerProcess
from tests.waiting import free_port

SECRETS = {
    name: f"hush-{name}-{uuid.uuid4().hex}"
    for name in (
        "custom_api_key",
        "supabaseAccessToken",
        "x-supabase-access-token",
        "my_word",
        "OPENAI_API_KEY",
    )
}
JWT = token(ANN)
ENVIRON = {"LANGSMITH_TRACING": "true", "SECRET_CONFIG_KEYS": "my_word", "SHUTDOWN_GRACE_SECONDS": "1"}


@pytest.fixture
def receiver() -> Iterator[TraceReceiver]:
    with receiving() as one:
        yield one


def body(text: str, **more: Any) -> dict[str, Any]:
    """A run that has secrets wherever a request can have them."""
    configurable = {name: value for name, value in SECRETS.items() if name != "supabaseAccessToken"}
    configurable["apiKeys"] = {"OPENAI_API_KEY": configurable.pop("OPENAI_API_KEY")}
    return {
        "assistant_id": "chained",
        "input": {"messages": [{"role": "user", "content": text}]},
        "config": {"configurable": {**configurable, "shown": "in-the-trace"}},
        "metadata": {"supabaseAccessToken": SECRETS["supabaseAccessToken"]},
        **more,
    }


def leaks(said: bytes) -> list[str]:
    """Which secrets stand there."""
    found = [name for name, value in SECRETS.items() if value.encode() in said]
    return found + (["jwt"] if JWT.encode() in said else [])


def run_all(server: ServerProcess) -> str:
    """A run that ends well and one that fails with everything it knows, and the id of the first."""
    with server.http() as http:
        thread_id = http.post("/threads", json={}).json()["thread_id"]
        more = {"langsmith_tracer": {"project_name": "the-callers-project"}}
        assert (
            "__error__"
            not in http.post(
                f"/threads/{thread_id}/runs/wait", json=body(f"my token is {JWT}", **more)
            ).json()
        )
        assert "__error__" in http.post(f"/threads/{thread_id}/runs/wait", json=body("spill it")).json()
        runs = http.get(f"/threads/{thread_id}/runs").json()
    assert [run["status"] for run in runs] == ["error", "success"]
    return str(runs[1]["run_id"])


def test_langsmith_gets_traces_without_secrets(
    server_factory: Callable[..., ServerProcess], receiver: TraceReceiver
) -> None:
    environ = {"LANGSMITH_ENDPOINT": receiver.url, "LANGSMITH_API_KEY": "lsv2_of_the_operator"}
    server = server_factory(environ={**ENVIRON, **environ}).start()
    run_id = run_all(server)
    trace = "20260101T000000000000Z" + (caller := str(uuid.uuid4()))
    with server.http() as http:
        for header in (trace, "not a trace"):
            answer = http.post("/runs/wait", json=body("below"), headers={"langsmith-trace": header})
            assert "__error__" not in answer.json(), answer.text
    server.stop()
    said = receiver.said("/runs")
    for expected in (run_id, "passed on", "in-the-trace", "ValueError", "the-callers-project", caller):
        assert expected.encode() in said, expected
    assert leaks(said) == []
    assert b"***" in said


def test_a_collector_gets_traces_without_secrets(
    server_factory: Callable[..., ServerProcess], receiver: TraceReceiver
) -> None:
    environ = {"LANGSMITH_TRACING_MODE": "otel", "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url}
    server = server_factory(environ={**ENVIRON, **environ}).start()
    run_all(server)
    server.stop()
    said = receiver.said("/v1/traces")
    for expected in ("passed on", "in-the-trace", "ValueError"):
        assert expected.encode() in said, expected
    assert leaks(said) == []
    assert {path for path, _ in receiver.posts} == {"/v1/traces"}


@pytest.mark.parametrize("mode", ["langsmith", "otel"])
def test_nobody_needs_whom_nobody_reaches(server_factory: Callable[..., ServerProcess], mode: str) -> None:
    nowhere = f"http://127.0.0.1:{free_port()}"
    environ = {
        "LANGSMITH_ENDPOINT": nowhere, "LANGSMITH_API_KEY": "k", "LANGSMITH_TRACING_MODE": mode,
        "OTEL_EXPORTER_OTLP_ENDPOINT": nowhere,
    }  # fmt: skip
    server = server_factory(environ={**ENVIRON, **environ}).start()
    run_all(server)
    with server.http() as http:
        began = time.monotonic()
        for _ in range(20):
            assert "__error__" not in http.post("/runs/wait", json=body("hello")).json()
        assert time.monotonic() - began < 5
    server.stop(within=20)
    assert leaks(server.output(1_000_000).encode()) == []


def test_a_wrong_variable_is_told_at_the_start(server_factory: Callable[..., ServerProcess]) -> None:
    server = server_factory(environ={**ENVIRON, "LANGSMITH_TRACING_MODE": "smoke signals"})
    server.launch()
    with pytest.raises(AssertionError, match="it ended with 2"):
        server.has_ended()
    assert "correct the LANGSMITH_ variables" in server.output()
