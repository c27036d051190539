"""What a signed-in user's run with a tool call streams, event by event."""

import json
from collections.abc import Callable
from itertools import groupby
from pathlib import Path

from tests.auth.people import ANN, ENVIRON, bearer
from tests.server_process import ServerProcess
from tests.tools_agent.stand_ins import programs

PROJECT = Path(__file__).parent / "project" / "langgraph.json"
ROOT = Path(__file__).parent.parent
MODEL_TURN = ["messages/metadata", "messages/partial", "updates agent", "values"]
TOOL_TURN = ["messages/metadata", "messages/complete", "updates tools", "values"]


def test_a_run_with_a_tool_call_has_the_seeds_sequence_for_each_turn(
    server_factory: Callable[..., ServerProcess], tmp_path: Path
) -> None:
    call = {"tool_calls": [{"name": "add", "arguments": {"a": 2, "b": 40}}], "text": "Let me see."}
    rules = {"rules": [{"match": "add", "replies": [call, {"text": "That makes forty two."}]}]}
    (tmp_path / "rules.json").write_text(json.dumps(rules))
    with programs() as start:
        llm = start(
            "-m", "robyn_server.testing.fake_llm", "--port", "0", "--rules", str(tmp_path / "rules.json")
        )
        mcp = start(str(ROOT / "fakes" / "mcp_server.py"))
        environ = {**ENVIRON, "OUTBOUND_ALLOW": "127.0.0.1", "SPY_FILE": str(tmp_path / "spy")}
        configurable = {
            "base_url": llm, "custom_model_name": "fake", "mcp_config": {"url": mcp, "tools": ["add"]},
        }  # fmt: skip
        body = {
            "assistant_id": "agent",
            "input": {"messages": [{"role": "user", "content": "add 2 and 40"}]},
            "config": {"configurable": configurable},
            "stream_mode": ["values", "messages", "updates"],
        }
        with server_factory(config=PROJECT, environ=environ).start().http() as http:
            thread = http.post("/threads", json={}, headers=bearer(ANN)).json()["thread_id"]
            answer = http.post(f"/threads/{thread}/runs/stream", json=body, headers=bearer(ANN), timeout=60)
    lines = [line.partition(": ")[::2] for line in answer.text.splitlines()]
    told = [(name, value) for name, value in lines if name in ("event", "data")]
    frames = [
        {"event": event, "data": data} for (_, event), (_, data) in zip(told[::2], told[1::2], strict=True)
    ]
    names = [
        f"updates {next(iter(json.loads(frame['data'])))}" if frame["event"] == "updates" else frame["event"]
        for frame in frames
    ]
    assert [name for name, _ in groupby(names)] == [
        "metadata",
        "values",
        *MODEL_TURN,
        *TOOL_TURN,
        *MODEL_TURN,
    ]
    partials = [json.loads(frame["data"])[0] for frame in frames if frame["event"] == "messages/partial"]
    texts = [partial["content"] for partial in partials if partial["content"]]
    assert texts[:3] == ["Let ", "Let me ", "Let me see."]
    assert len({partial["id"] for partial in partials}) == 2
    final = json.loads(frames[-1]["data"])["messages"]
    assert [message["type"] for message in final] == ["human", "ai", "tool", "ai"]
    assert final[-1]["content"] == texts[-1] == "That makes forty two."
