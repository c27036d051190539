"""Anthropic's own client, against the stand-in that speaks as Anthropic does."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.tools_agent.stand_ins import Start, ask
from tools_agent.agent import graph

pytest.importorskip(
    "langchain_anthropic",
    reason="pip install langchain-anthropic, it is in the group dev",
    exc_type=ImportError,
)

SUM = [{"tool_calls": [{"name": "add", "arguments": {"a": 2, "b": 40}}]}, {"text": "That makes forty two."}]
RULES = {"rules": [{"match": "add", "replies": [{**SUM[0], "text": "Let me see."}, SUM[1]]}]}


@pytest.fixture
def anthropic(start_llm: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "rules.json").write_text(json.dumps(RULES))
    url = start_llm("--rules", str(tmp_path / "rules.json")).removesuffix("/v1")
    monkeypatch.setenv("ANTHROPIC_BASE_URL", url)
    return url


def configured(**more: Any) -> Any:
    return {"configurable": {"model_name": "anthropic:claude-sonnet-4-6", **more}}


async def test_it_streams_calls_a_tool_and_answers(
    anthropic: str, mcp_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "the operator's")
    agent = await graph(configured(mcp_config={"url": mcp_url, "tools": ["add"]}, max_tokens=77))
    seen = [
        part
        async for part in agent.astream(
            {"messages": [("user", "add 2 and 40")]}, stream_mode=["messages", "values", "updates"]
        )
    ]
    assert [list(part) for mode, part in seen if mode == "updates"] == [["agent"], ["tools"], ["agent"]]
    texts = [part[0].text for mode, part in seen if mode == "messages" and part[0].type == "AIMessageChunk"]
    assert [text for text in texts if text] == ["Let ", "me ", "see.", "That ", "makes ", "forty ", "two."]
    human, called, result, answer = seen[-1][1]["messages"]
    (call,) = called.tool_calls
    assert (call["name"], call["args"]) == ("add", {"a": 2, "b": 40})
    assert (result.content.splitlines()[0], result.status) == ("42", "success")
    assert answer.text == "That makes forty two."
    assert answer.response_metadata["stop_reason"] == "end_turn"
    assert answer.usage_metadata["output_tokens"] == 4
    first, second = ask("GET", f"{anthropic}/requests")
    assert first["authorization"].endswith("the operator's")
    assert (first["body"]["model"], first["body"]["max_tokens"]) == ("claude-sonnet-4-6", 77)
    assert [tool["name"] for tool in first["body"]["tools"]] == ["add"]
    assert second["body"]["messages"][-1]["content"][0]["type"] == "tool_result"


async def test_the_users_own_key_wins(anthropic: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "the operator's")
    agent = await graph(configured(apiKeys={"ANTHROPIC_API_KEY": "the user's"}))
    ended = await agent.ainvoke({"messages": [("user", "What is 2 + 2?")]})
    assert ended["messages"][-1].text == "4"
    (request,) = ask("GET", f"{anthropic}/requests")
    assert request["authorization"].endswith("the user's")


async def test_a_refused_request_is_sent_again(anthropic: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "k")
    ended = await (await graph(configured())).ainvoke({"messages": [("user", "rate_limit please")]})
    assert ended["messages"][-1].text == "Done after two refusals."
