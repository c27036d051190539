"""The seven tests that the project's seed asked for by name, on the real agent behind the real server."""

import socket
from collections.abc import Callable, Iterator

import httpx
import orjson
import pytest

from tests.server_process import ROOT, ServerProcess

QUESTION = {"messages": [{"role": "user", "content": "What is 12 * 34?"}]}
MODES = ["values", "messages", "updates"]


@pytest.fixture(scope="module")
def agent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    serving = ServerProcess(
        tmp_path_factory.mktemp("agent"),
        config=ROOT / "langgraph.json",
        environ={"SHUTDOWN_GRACE_SECONDS": "2"},
    )
    with serving.running():
        yield serving


def stream(
    server: ServerProcess, configurable: dict[str, object] | None = None
) -> tuple[str, list[tuple[str, object]]]:
    """The thread, and the (event, data) pairs of one run on it."""
    with server.http() as http:
        thread_id = http.post("/threads", json={}).json()["thread_id"]
        body = {
            "assistant_id": "agent",
            "input": QUESTION,
            "stream_mode": MODES,
            "config": {"configurable": configurable or {}},
        }
        answer = http.post(f"/threads/{thread_id}/runs/stream", json=body)
    assert answer.status_code == 200 and answer.headers["content-type"].startswith("text/event-stream")
    return thread_id, list(events(answer.text))


def events(text: str) -> Iterator[tuple[str, object]]:
    for block in text.split("\r\n\r\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":") and line)
        if fields:
            yield fields["event"], orjson.loads(fields["data"])


def names(told: list[tuple[str, object]]) -> list[str]:
    return [name for name, _ in told]


def nowhere() -> str:
    """An address where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return f"http://127.0.0.1:{taken.getsockname()[1]}/v1"


def test_execute_run_stream_emits_metadata_first(agent: ServerProcess) -> None:
    _, told = stream(agent)
    name, data = told[0]
    assert name == "metadata" and isinstance(data, dict) and data["attempt"] == 1 and data["run_id"]


def test_execute_run_stream_emits_initial_values(agent: ServerProcess) -> None:
    _, told = stream(agent)
    name, data = told[1]
    assert name == "values" and isinstance(data, dict)
    assert [message["content"] for message in data["messages"]] == ["What is 12 * 34?"]


def test_execute_run_stream_streams_tokens(agent: ServerProcess) -> None:
    _, told = stream(agent)
    partial = [data[0]["content"] for name, data in told if name == "messages/partial"]  # type: ignore[index]
    assert len(partial) > 5
    grown = [
        later
        for earlier, later in zip(partial, partial[1:], strict=False)
        if later.startswith(earlier) and earlier
    ]
    assert len(grown) > 3, "the text is accumulated"
    assert "messages/metadata" in names(told) and "messages/complete" in names(told), "a tool was called"


def test_execute_run_stream_emits_final_values(agent: ServerProcess) -> None:
    _, told = stream(agent)
    name, data = told[-1]
    assert name == "values" and isinstance(data, dict)
    assert [message["type"] for message in data["messages"]] == ["human", "ai", "tool", "ai"]
    assert "408" in data["messages"][-1]["content"] and names(told)[-2] == "updates"


def test_execute_run_stream_handles_agent_init_error(server_factory: Callable[..., ServerProcess]) -> None:
    server = server_factory(config=ROOT / "langgraph.json", environ={"DEMO_MODEL": "0"}).start()
    _, told = stream(server, {"model_name": "openai:gpt-4o"})
    assert names(told) == ["metadata", "error"]
    failure = told[-1][1]
    assert isinstance(failure, dict)
    assert failure["code"] == "AGENT_INIT_ERROR" and "OPENAI_API_KEY" in failure["message"]


def test_execute_run_stream_handles_stream_error(agent: ServerProcess) -> None:
    thread_id, told = stream(agent, {"base_url": nowhere(), "model_name": "some-model"})
    assert names(told)[:2] == ["metadata", "values"] and names(told)[-1] == "error"
    failure = told[-1][1]
    assert isinstance(failure, dict) and failure["code"] == "STREAM_ERROR"
    with agent.http() as http:
        assert http.get(f"/threads/{thread_id}").json()["status"] == "error"
        run = http.get(f"/threads/{thread_id}/runs").json()[0]
        assert run["status"] == "error"
        body = {"assistant_id": "agent", "input": QUESTION}
        again = http.post(f"/threads/{thread_id}/runs/wait", json=body).json()
    assert "408" in again["messages"][-1]["content"], "the thread works on"


def test_execute_run_stream_stores_final_state(agent: ServerProcess) -> None:
    thread_id, told = stream(agent)
    with agent.http() as http:
        state = http.get(f"/threads/{thread_id}/state").json()
    assert state["values"] == told[-1][1] and state["next"] == []


def test_the_stream_of_the_readme_is_what_it_says(agent: ServerProcess) -> None:
    body = {"assistant_id": "agent", "input": QUESTION, "stream_mode": "messages-tuple"}
    with httpx.stream("POST", f"{agent.url}/runs/stream", json=body, timeout=30) as answer:
        told = list(events(answer.read().decode()))
    assert set(names(told)) == {"metadata", "messages"}
    tools = [data[0] for name, data in told if name == "messages" and data[0]["type"] == "tool"]  # type: ignore[index]
    assert [(tool["name"], tool["content"]) for tool in tools] == [("calculator", "408")]
