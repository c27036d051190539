"""The thread protocol through the SDK's thread stream, and below it."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from typing import Any

import httpx
import orjson
import pytest
from langgraph.pregel.remote import RemoteGraph
from langgraph_sdk.client import LangGraphClient
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from tests.http.test_runs import until_status
from tests.server_process import ServerProcess

pytestmark = pytest.mark.filterwarnings("ignore::langchain_core._api.LangChainBetaWarning")

SECONDS = 20
SENTENCE = "the quick brown fox jumps over the lazy dog"
CHANNELS = ["values", "updates", "messages", "tools", "custom", "lifecycle", "input"]
SAY: dict[str, Any] = {"messages": [{"role": "user", "content": "hi"}]}
ASKING: list[dict[str, Any]] = [{"log": []}, {"log": ["prepared"]}, {"log": ["prepared"]}]
ANSWERED = [{"log": ["prepared", "answer: this", "finished"][:length]} for length in (1, 2, 3)]
"""The states that the two runs of `interrupting` tell."""


class Thread:
    """A thread whose id the client has made up, spoken to without the SDK."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self.http = http
        self.id = str(uuid.uuid4())

    async def command(self, method: str, **params: Any) -> dict[str, Any]:
        answer = await self.http.post(
            f"/threads/{self.id}/commands", json={"id": 1, "method": method, "params": params}
        )
        assert answer.status_code == 200, answer.text
        told: dict[str, Any] = answer.json()
        return told

    async def start(self, graph: str, given: Any, **params: Any) -> str:
        answer = await self.command("run.start", assistant_id=graph, input=given, **params)
        assert answer["type"] == "success", answer
        return str(answer["result"]["run_id"])

    async def events(self, *channels: str, **asked: Any) -> AsyncIterator[dict[str, Any]]:
        body = {"channels": list(channels) or CHANNELS, **asked}
        async with self.http.stream("POST", f"/threads/{self.id}/stream/events", json=body) as answer:
            assert answer.headers["content-type"].startswith("text/event-stream")
            async for line in answer.aiter_lines():
                if line.startswith("data: "):
                    yield orjson.loads(line.removeprefix("data: "))

    async def until(
        self, last: Callable[[dict[str, Any]], bool], *channels: str, **asked: Any
    ) -> list[dict[str, Any]]:
        """The events up to one."""
        found = []
        async with asyncio.timeout(SECONDS), aclosing(self.events(*channels, **asked)) as events:  # type: ignore[type-var]
            async for event in events:
                found.append(event)
                if last(event):
                    break
        return found


def ends(event: dict[str, Any]) -> bool:
    """Whether a run has come to its end."""
    return lifecycle(event) in ("completed", "failed", "interrupted")


def lifecycle(event: dict[str, Any]) -> str | None:
    """What the root says of itself."""
    params = event["params"]
    return params["data"]["event"] if event["method"] == "lifecycle" and not params["namespace"] else None


def said(event: dict[str, Any]) -> Any:
    """What an event says: the root's word, the question, or the data."""
    return lifecycle(event) or event["params"]["data"].get("value", event["params"]["data"])


@pytest.fixture
async def thread(server: ServerProcess) -> AsyncIterator[Thread]:
    async with httpx.AsyncClient(base_url=server.url, timeout=30) as http:
        yield Thread(http)


async def test_the_sdk_starts_a_run_on_a_thread_of_its_own_making(client: LangGraphClient) -> None:
    async with asyncio.timeout(SECONDS), client.threads.stream(assistant_id="talk") as stream:
        await stream.run.start(input=SAY)
        messages = [message async for message in stream.messages]
        assert [await message.text for message in messages] == [SENTENCE]
        output = await stream.output
    assert output["messages"][-1]["content"][0]["text"] == SENTENCE
    state = await client.threads.get_state(stream.thread_id)
    assert state["values"] == output


async def test_the_sdk_answers_an_interrupt(client: LangGraphClient, thread: Thread) -> None:
    async with asyncio.timeout(SECONDS), client.threads.stream(assistant_id="interrupting") as stream:
        await stream.run.start(input={"log": []})
        # The SDK reads the state, is told the states and is told of the question over three connections, and stops at
        # the question: here and on the reference server what it shows breaks off anywhere, also after the state alone.
        read, *told = [state async for state in stream.values]
        assert read in ({}, *ASKING)
        assert told == ASKING[: len(told)]
        while not stream.interrupted:  # noqa: ASYNC110 - the SDK has no event for it
            await asyncio.sleep(0.01)
        assert [one["value"] for one in stream.interrupts] == [{"question": "which?"}]
        # The end comes over the connection of the states: all of the answered run, after what was left of the first.
        states = aiter(stream.values)
        assert await anext(states) in ({}, *ASKING)
        await stream.run.respond("this")
        told_again = [state async for state in states]
        left, answered = told_again[: -len(ANSWERED)], told_again[-len(ANSWERED) :]
        assert answered == ANSWERED
        assert len(told) + len(left) <= len(ASKING) and left == ASKING[len(ASKING) - len(left) :]
        assert await stream.output == ANSWERED[-1]
    thread.id = stream.thread_id
    events = await thread.until(lambda event: lifecycle(event) == "completed", "values", "lifecycle", "input")
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert [said(event) for event in events] == [
        "running", *ASKING[:-1], {"question": "which?"}, "interrupted", ASKING[-1],
        "running", *ANSWERED, "completed",
    ]  # fmt: skip


async def test_the_sdk_is_told_of_subgraphs(client: LangGraphClient) -> None:
    async with asyncio.timeout(SECONDS), client.threads.stream(assistant_id="subgraphs") as stream:
        await stream.run.start(input={"log": []})
        found = [(child.graph_name, child.namespace) async for child in stream.subgraphs]
        assert [name for name, _ in found] == ["child"]


async def test_the_sdk_follows_tool_calls_and_named_channels(client: LangGraphClient) -> None:
    async with asyncio.timeout(SECONDS), client.threads.stream(assistant_id="all_channels") as stream:
        await stream.run.start(input=SAY)
        calls = [(call.name, call.input) async for call in stream.tool_calls]
        assert calls == [("double", {"number": 21})]
    async with asyncio.timeout(SECONDS), client.threads.stream(assistant_id="reports") as stream:
        await stream.run.start(input={"log": []})
        assert [event["step"] async for event in stream.extensions["progress"]] == [1, 2]


async def test_the_sdk_hears_of_a_failure(client: LangGraphClient) -> None:
    async with asyncio.timeout(SECONDS), client.threads.stream(assistant_id="failing") as stream:
        await stream.run.start(input={"log": []})
        with pytest.raises(RuntimeError, match="it went wrong"):
            await stream.output


async def test_a_remote_graph_streams_events(client: LangGraphClient) -> None:
    graph = RemoteGraph("steps", client=client)
    config: Any = {"configurable": {"thread_id": str(uuid.uuid4())}}
    async with asyncio.timeout(SECONDS):
        run = await graph.astream_events({"log": []}, config, version="v3")
        async with run:
            output: Any = await run.output()
            assert output["log"] == ["one", "two", "three"]


async def test_every_channel_of_an_agent(thread: Thread) -> None:
    await thread.start("all_channels", SAY)
    events = await thread.until(ends)
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert (lifecycle(events[0]), lifecycle(events[-1])) == ("running", "completed")
    tools = [event["params"]["data"]["event"] for event in events if event["method"] == "tools"]
    assert tools == ["tool-started", "tool-finished"]
    mirrored = [event for event in events if event["params"]["namespace"] == ["tools:call_1"]]
    assert [event["params"]["data"]["event"] for event in mirrored][0] == "message-start"
    assert [list(event["params"]["data"]) for event in events if event["method"] == "updates"] == [
        ["agent"], ["tools"], ["agent"]
    ]  # fmt: skip


async def test_two_readers_see_the_same_and_one_comes_back(thread: Thread) -> None:
    await thread.start("steps", {"log": []})
    first = await thread.until(ends)
    assert await thread.until(ends) == first
    assert await thread.until(ends, since=3) == first[3:]
    await thread.start("steps", {"log": []})
    again = await thread.until(ends, since=len(first))
    assert again[0]["seq"] == len(first) + 1
    assert lifecycle(again[0]) == "running"


async def test_an_answer_by_run_start_and_many_by_respond(thread: Thread) -> None:
    await thread.start("interrupting", {"log": []})
    *_, asked = await thread.until(lambda event: event["method"] == "input.requested")
    interrupt_id = asked["params"]["data"]["interrupt_id"]
    unknown = await thread.command("input.respond", interrupt_id="0" * 32, response="x")
    assert unknown["error"] == "no_such_interrupt"
    # The run that asked may not have ended yet: both wait for it.
    many = [{"interrupt_id": interrupt_id, "response": "that", "namespace": []}]
    assert (await thread.command("input.respond", responses=many))["result"] == {}
    await thread.until(lambda event: lifecycle(event) == "completed")
    used = await thread.command("input.respond", interrupt_id=interrupt_id, response="again")
    assert used["error"] == "no_such_interrupt"
    await thread.start("interrupting", {"log": []})
    run_id = await thread.start("interrupting", "by input")
    events = await thread.until(lambda event: event["event_id"] == f"synth:{run_id}:lc||completed")
    assert events[-2]["params"]["data"]["log"][-2:] == ["answer: by input", "finished"]


async def test_who_waits_for_a_run_that_is_taken_back_is_told(
    thread: Thread, client: LangGraphClient
) -> None:
    run_id = await thread.start("slow", {"rounds": 1000})
    async with asyncio.timeout(SECONDS), aclosing(thread.events("lifecycle")) as events:  # type: ignore[type-var]
        assert lifecycle(await anext(events)) == "running"
        pending = await thread.start("slow", None)
        await client.runs.cancel(thread.id, pending)
        told = await anext(events)
        assert (told["event_id"], lifecycle(told)) == (f"synth:{pending}:lc||failed", "failed")
        await client.runs.cancel(thread.id, run_id, action="rollback")
        told = await anext(events)
        assert (told["event_id"], lifecycle(told)) == (f"synth:{run_id}:lc||failed", "failed")
        assert "rolled back" in told["params"]["data"]["error"]


async def test_a_cancelled_run_is_interrupted(thread: Thread, client: LangGraphClient) -> None:
    run_id = await thread.start("slow", {"rounds": 1000})
    await until_status(client, thread.id, run_id, "running")
    await client.runs.cancel(thread.id, run_id, wait=True)
    assert lifecycle((await thread.until(ends, "lifecycle"))[-1]) == "interrupted"


async def test_the_other_routes_know_such_a_run(thread: Thread, client: LangGraphClient) -> None:
    run_id = await thread.start("slow", {"rounds": 3, "pause": 0.05}, metadata={"mine": 1})
    joined: Any = await client.runs.join(thread.id, run_id)
    assert joined["log"] == ["step0", "step1", "step2"]
    run: Any = await client.runs.get(thread.id, run_id)
    assert (run["status"], run["metadata"]["mine"]) == ("success", 1)


async def test_errors_come_in_envelopes(thread: Thread) -> None:
    unknown = await thread.command("run.start", assistant_id="nobody", input={})
    assert unknown["error"] == "unknown_error"
    assert unknown["message"].startswith("422: Invalid assistant")
    assert (await thread.command("state.get"))["error"] == "unknown_command"
    assert (await thread.command("agent.getTree"))["error"] == "no_such_run"
    answer = await thread.http.post(f"/threads/{thread.id}/commands", content=b"{")
    assert (answer.status_code, answer.json()) == (400, {"detail": "Invalid JSON body"})
    answer = await thread.http.post(f"/threads/{thread.id}/commands", json={"id": "7", "method": "run.start"})
    assert (answer.status_code, answer.json()["id"]) == (400, "7")


async def test_a_websocket_is_refused_at_once(thread: Thread, server: ServerProcess) -> None:
    url = f"{server.url.replace('http', 'ws', 1)}/threads/{thread.id}/stream/events"
    with pytest.raises(InvalidStatus) as refused:
        await connect(url, open_timeout=2)
    assert refused.value.response.status_code == 405
    assert (await thread.http.get(f"/threads/{thread.id}/stream/events")).status_code == 405


async def test_the_history_outlives_a_crash(server_factory: Callable[..., ServerProcess]) -> None:
    serving = server_factory().start()
    async with httpx.AsyncClient(base_url=serving.url, timeout=30) as http, serving.sdk() as sdk:
        thread = Thread(http)
        await thread.start("steps", {"log": []})
        before = await thread.until(ends)
        run_id = await thread.start("slow", {"rounds": 6, "pause": 0.3})
        await until_status(sdk, thread.id, run_id, "running")
        await thread.until(
            lambda event: event["params"]["data"].get("log") == ["one", "two", "three", "step3"]
        )
        serving.kill_server()
        serving.is_back()
        after = await thread.until(lambda event: event["event_id"] == f"synth:{run_id}:lc||completed")
        assert lifecycle(after[-1]) == "completed"
        numbers = [event["seq"] for event in after]
        assert numbers == sorted(numbers)
        assert len({event["event_id"] for event in after}) == len(after)
        values = [event for event in before if event["method"] == "values"]
        assert values and all(event in after for event in values)
