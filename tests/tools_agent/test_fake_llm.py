import json
import subprocess
import sys
from pathlib import Path
from time import monotonic

import httpx
import pytest
from openai import AsyncOpenAI, RateLimitError

from tests.tools_agent.stand_ins import Start


def client(url: str, retries: int = 0) -> AsyncOpenAI:
    return AsyncOpenAI(base_url=url, api_key="EMPTY", max_retries=retries)


def user(text: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": text}]


async def text_of(url: str, text: str) -> str | None:
    async with client(url) as llm:
        answer = await llm.chat.completions.create(model="m", messages=user(text))
        return answer.choices[0].message.content


async def test_the_built_in_rules(llm_url: str) -> None:
    assert await text_of(llm_url, "What is 2 + 2? Answer with just the number.") == "4"
    assert await text_of(llm_url, "Good morning") == "You said: Good morning"
    async with client(llm_url) as llm:
        assert {model.id async for model in llm.models.list()} == {"fake", "gpt-4o"}
        for _ in range(2):
            with pytest.raises(RateLimitError):
                await llm.chat.completions.create(model="m", messages=user("rate_limit"))
        assert (await llm.chat.completions.create(model="m", messages=user("rate_limit"))).choices
    async with httpx.AsyncClient() as plain:
        assert (await plain.get(f"{llm_url}/nothing")).status_code == 404
        assert (await plain.post(f"{llm_url}/chat/completions", content=b"{")).status_code == 400


async def test_a_task_is_looked_up_and_then_completed(llm_url: str) -> None:
    messages: list = user("Mark the grocery task as completed")
    async with client(llm_url) as llm:
        listing = (await llm.chat.completions.create(model="m", messages=messages)).choices[0]
        (call,) = listing.message.tool_calls
        assert (listing.finish_reason, call.function.name) == ("tool_calls", "list_tasks")
        tasks = json.dumps({"tasks": [{"id": 17, "title": "Buy groceries"}]})
        messages += [listing.message, {"role": "tool", "tool_call_id": call.id, "content": tasks}]
        (call,) = (
            (await llm.chat.completions.create(model="m", messages=messages)).choices[0].message.tool_calls
        )
    assert (call.function.name, json.loads(call.function.arguments)) == ("complete_task", {"task_id": 17})


async def test_a_stream_has_tokens_call_pieces_a_reason_and_usage(start_llm: Start, tmp_path: Path) -> None:
    rules = tmp_path / "rules.json"
    call = {"name": "search", "arguments": {"query": "x"}}
    rules.write_text(json.dumps({"rules": [{"match": "^find", "text": "Let me see", "tool_calls": [call]}]}))
    async with client(start_llm("--rules", str(rules))) as llm:
        stream = await llm.chat.completions.create(
            model="m", messages=user("find x"), stream=True, stream_options={"include_usage": True}
        )
        chunks = [chunk async for chunk in stream]
    deltas = [chunk.choices[0].delta for chunk in chunks if chunk.choices]
    assert [delta.content for delta in deltas if delta.content] == ["Let ", "me ", "see"]
    pieces = [delta.tool_calls[0].function.arguments for delta in deltas if delta.tool_calls]
    assert len(pieces) == 3
    assert json.loads("".join(pieces)) == {"query": "x"}
    assert chunks[-2].choices[0].finish_reason == "tool_calls"
    assert chunks[-1].usage.completion_tokens > 3


async def test_slow_tokens_come_one_by_one(llm_url: str) -> None:
    arrivals = []
    async with client(llm_url) as llm:
        stream = await llm.chat.completions.create(model="m", messages=user("slow please"), stream=True)
        async for _ in stream:
            arrivals.append(monotonic())
            if len(arrivals) == 4:
                break
        await stream.close()
    assert arrivals[-1] - arrivals[0] > 0.3


def test_a_connection_can_be_cut_in_the_middle(start_llm: Start, tmp_path: Path) -> None:
    rules = tmp_path / "rules.json"
    rules.write_text(json.dumps({"rules": [{"match": "", "text": "one two three", "cut_after": 1}]}))
    url = start_llm("--rules", str(rules))
    body = {"model": "m", "messages": user("hi"), "stream": True}
    received = []
    with pytest.raises(httpx.RemoteProtocolError):
        with httpx.stream("POST", f"{url}/chat/completions", json=body) as response:
            received += [line for line in response.iter_lines() if line]
    with pytest.raises(httpx.RemoteProtocolError):
        httpx.post(f"{url}/chat/completions", json={**body, "stream": False})


@pytest.mark.parametrize(
    "text", ["[]", '{"rules": [{"text": "no match"}]}', '{"rules": [{"match": "("}]}', "{"]
)
def test_rules_that_cannot_be_used_end_the_start_with_a_sentence(tmp_path: Path, text: str) -> None:
    rules = tmp_path / "rules.json"
    rules.write_text(text)
    command = [sys.executable, "-m", "robyn_server.testing.fake_llm", "--port", "0", "--rules", str(rules)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    assert done.returncode == 1
    assert done.stderr.startswith("fake_llm: ")
    assert "Traceback" not in done.stderr
