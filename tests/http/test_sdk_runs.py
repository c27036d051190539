"""Every method of the SDK that runs something, with its asynchronous and its synchronous client."""

import asyncio
import inspect
import itertools
import uuid
from collections.abc import AsyncIterator
from typing import Any

import pytest
from langgraph_sdk.client import LangGraphClient
from langgraph_sdk.errors import NotFoundError

from tests.http.test_runs import SLOW, STEPS, thread_of, until_status
from tests.http.test_streams import SENTENCE
from tests.server_process import ServerProcess
from tests.waiting import eventually, until

pytestmark = pytest.mark.filterwarnings("ignore::langchain_core._api.LangChainBetaWarning")

SAY: dict[str, Any] = {"messages": [{"role": "user", "content": "hi"}]}
EMPTY: dict[str, Any] = {"log": []}
SECONDS = 20


async def parts_of(stream: Any, most: int | None = None) -> list[Any]:
    """What a stream gives, of either client; `most`: not all, but so many."""
    if inspect.isawaitable(stream):
        stream = await stream
    if not isinstance(stream, AsyncIterator):
        return await asyncio.to_thread(lambda: list(itertools.islice(stream, most)))
    found: list[Any] = []
    async for part in stream:
        found.append(part)
        if len(found) == most:
            break
    return found


async def test_runs_in_the_background(sdk: Any) -> None:
    thread_id = await thread_of(sdk)
    made = await sdk.runs.create(thread_id, "steps", input=EMPTY, metadata={"n": 1}, stream_resumable=True)
    run_id = made["run_id"]
    assert await sdk.runs.join(thread_id, run_id) == {"log": STEPS}
    await until_status(sdk, thread_id, run_id, "success")
    (listed,) = await sdk.runs.list(thread_id, limit=1, status="success")
    assert (listed["run_id"], listed["metadata"]["n"]) == (run_id, 1)
    assert await sdk.runs.list(thread_id, select=["run_id"]) == [{"run_id": run_id}]
    again = await parts_of(sdk.runs.join_stream(thread_id, run_id, stream_mode="values", last_event_id="-"))
    assert [part.data["log"] for part in again if part.event == "values"] == [[], *_growing(STEPS)]
    seen = await parts_of(sdk.threads.join_stream(thread_id, last_event_id="-"), most=2)
    assert [part.event for part in seen] == ["metadata", "values"]
    await sdk.runs.delete(thread_id, run_id)
    with pytest.raises(NotFoundError):
        await sdk.runs.get(thread_id, run_id)


async def test_runs_that_are_waited_for(sdk: Any) -> None:
    thread_id = await thread_of(sdk)
    assert await sdk.runs.wait(thread_id, "steps", input=EMPTY) == {"log": STEPS}
    assert await sdk.runs.wait(None, "steps", input=EMPTY) == {"log": STEPS}
    failed = await sdk.runs.wait(None, "failing", input=EMPTY, raise_error=False)
    assert failed["__error__"]["error"] == "ValueError"
    streamed = await parts_of(sdk.runs.stream(thread_id, "steps", input=EMPTY, stream_mode="updates"))
    assert [[*part.data] for part in streamed if part.event == "updates"] == [[name] for name in STEPS]
    alone = await parts_of(sdk.runs.stream(None, "steps", input=EMPTY))
    assert alone[-1].data == {"log": STEPS}


async def test_a_batch_of_runs(sdk: Any) -> None:
    mark = uuid.uuid4().hex
    made = await sdk.runs.create_batch(
        [{"assistant_id": "steps", "input": EMPTY, "metadata": {"mark": mark}} for _ in range(3)]
    )
    assert [run["metadata"]["mark"] for run in made] == [mark] * 3
    assert len({run["run_id"] for run in made}) == 3


async def test_runs_are_cancelled(sdk: Any) -> None:
    thread_id = await thread_of(sdk)
    running = await sdk.runs.create(thread_id, "slow", input=SLOW)
    await until_status(sdk, thread_id, running["run_id"], "running")
    await sdk.runs.cancel(thread_id, running["run_id"], wait=True)
    assert (await sdk.runs.get(thread_id, running["run_id"]))["status"] == "interrupted"
    others = [await sdk.runs.create(thread_id, "slow", input=SLOW) for _ in range(2)]
    run_ids = [run["run_id"] for run in others]
    assert await sdk.runs.cancel_many(thread_id=thread_id, run_ids=run_ids) is None
    for run_id in run_ids:
        await until_status(sdk, thread_id, run_id, "interrupted")


async def test_requests_of_ones_own(sdk: Any) -> None:
    """`client.http`: what the SDK has no method for."""
    thread_id = (await sdk.http.post("/threads", json={}))["thread_id"]
    changed = await sdk.http.patch(f"/threads/{thread_id}", json={"metadata": {"a": 1}})
    assert (await sdk.http.get(f"/threads/{thread_id}"))["metadata"] == changed["metadata"] == {"a": 1}
    item = {"namespace": [thread_id], "key": "k", "value": {"v": 1}}
    assert await sdk.http.put("/store/items", json=item) is None
    assert (await sdk.store.get_item([thread_id], "k"))["value"] == {"v": 1}
    body = {"assistant_id": "steps", "input": EMPTY}
    waited = await sdk.http.request_reconnect(f"/threads/{thread_id}/runs/wait", "POST", json=body)
    assert waited == {"log": STEPS}
    streamed = await parts_of(sdk.http.stream("/runs/stream", "POST", json=body))
    assert streamed[-1].data == {"log": STEPS}
    await sdk.http.delete(f"/threads/{thread_id}")
    with pytest.raises(NotFoundError):
        await sdk.threads.get(thread_id)


async def test_a_thread_stream(server: ServerProcess, sdk_calls: object) -> None:
    client: LangGraphClient
    async with server.sdk() as client, asyncio.timeout(SECONDS):
        async with client.threads.stream(assistant_id="talk") as stream:
            drawing = await stream.agent.get_tree(xray=True)
            assert "talk" in {node["id"] for node in drawing["nodes"]}
            everything, values = stream.events, stream.subscribe(["values"])
            await stream.run.start(input=SAY)
            assert (await stream.output)["messages"][-1]["content"][0]["text"] == SENTENCE
            assert (await anext(aiter(values)))["method"] == "values"
            assert (await anext(aiter(everything)))["type"] == "event"
        async with client.threads.stream(assistant_id="steps") as stream:
            both = stream.interleave_projections(["values", "messages"])
            await stream.run.start(input=EMPTY)
            assert [(name, told["log"]) async for name, told in both][-1] == ("values", STEPS)
            # Done by the SDK itself where commands are numbered; the events it has seen are no more than it said.
            stream.observe_applied_through_seq(0)
        async with client.threads.stream(assistant_id="interrupting") as stream:
            await stream.run.start(input=EMPTY)
            await eventually(lambda: bool(stream.interrupts), "it does not ask", SECONDS)
            await stream.run.respond("this")
            assert (await stream.output)["log"][-1] == "finished"
            await stream.close()


def test_a_thread_stream_of_the_sync_client(server: ServerProcess, sdk_calls: object) -> None:
    with server.sync_sdk() as client:
        with client.threads.stream(assistant_id="storyteller") as stream:
            drawing = stream.agent.get_tree(xray=True)
            assert "ending" in {node["id"] for node in drawing["nodes"]}
            everything, values = stream.events, stream.subscribe(["values"])
            stream.run.start(input={**SAY, "pause": 0.05})
            # A subscription of this client begins when it is read, so the run takes a while.
            assert next(values)["method"] == "values"
            assert next(everything)["type"] == "event"
            assert stream.output["messages"][-1]["id"] == "ending"
        with client.threads.stream(assistant_id="steps") as stream:
            both = stream.interleave_projections(["values", "messages"])
            stream.run.start(input=EMPTY)
            assert [(name, told["log"]) for name, told in both][-1] == ("values", STEPS)
        with client.threads.stream(assistant_id="interrupting") as stream:
            stream.run.start(input=EMPTY)
            until(lambda: bool(stream.interrupts), "it does not ask", SECONDS)
            stream.run.respond("this")
            assert stream.output["log"][-1] == "finished"
            stream.close()


def _growing(words: list[str]) -> list[list[str]]:
    return [words[:length] for length in range(1, len(words) + 1)]
