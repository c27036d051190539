"""A connection cut in the middle of a stream: the Python SDK comes back for the rest, and gets all of it once."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from langgraph_sdk import get_client, get_sync_client
from langgraph_sdk.client import LangGraphClient
from langgraph_sdk.schema import StreamPart

from tests.fakes.cutting_proxy import CuttingProxy
from tests.server_process import ServerProcess

CUTS = {"in a frame": [2500, 1700, 1300], "before a whole frame came": [2500, 650]}
"""The first leaves the headers and a frame with an id: before one there is nothing to come back to."""

STORY: dict[str, Any] = {"messages": [{"type": "human", "content": "tell"}], "pause": 0.03}
ASKED: dict[str, Any] = {
    "input": STORY,
    "stream_mode": ["values", "messages-tuple"],
    "stream_resumable": True,
    "on_disconnect": "continue",
}


async def stored(client: LangGraphClient, thread_id: str, run_id: str) -> list[StreamPart]:
    """All that a run has said, from the start."""
    return [part async for part in client.runs.join_stream(thread_id, run_id, last_event_id="-1")]


@pytest.mark.parametrize("cuts", CUTS.values(), ids=CUTS)
async def test_a_stream_goes_on_where_it_was_cut(
    client: LangGraphClient, server: ServerProcess, cuts: list[int]
) -> None:
    thread = await client.threads.create()
    async with CuttingProxy(server.port, cuts).listening() as proxy, get_client(url=proxy.url) as through:
        async with asyncio.timeout(60):
            stream = through.runs.stream(thread["thread_id"], "storyteller", **ASKED)
            seen = [part async for part in stream]
        assert proxy.cut_count == len(cuts)
    assert seen == await stored(client, thread["thread_id"], seen[0].data["run_id"])
    assert len(seen[-1].data["messages"]) == 4


async def test_a_joined_stream_goes_on_where_it_was_cut(
    client: LangGraphClient, server: ServerProcess
) -> None:
    thread = await client.threads.create()
    run = await client.runs.create(
        thread["thread_id"], "storyteller", input=STORY, stream_mode="messages-tuple", stream_resumable=True
    )
    ids = (thread["thread_id"], run["run_id"])
    async with CuttingProxy(server.port, [3000]).listening() as proxy, get_client(url=proxy.url) as through:
        async with asyncio.timeout(60):
            seen = [part async for part in through.runs.join_stream(*ids, last_event_id="-1")]
        assert proxy.cut_count == 1
    assert seen == await stored(client, *ids)


async def test_a_stream_of_the_sync_sdk_goes_on_where_it_was_cut(
    client: LangGraphClient, server: ServerProcess
) -> None:
    thread = await client.threads.create()
    async with CuttingProxy(server.port, CUTS["in a frame"]).listening() as proxy:

        def read() -> list[StreamPart]:
            with get_sync_client(url=proxy.url) as through:
                return list(through.runs.stream(thread["thread_id"], "storyteller", **ASKED))

        async with asyncio.timeout(60):
            seen = await asyncio.to_thread(read)
        assert proxy.cut_count == 3
    assert seen == await stored(client, thread["thread_id"], seen[0].data["run_id"])


@pytest.mark.filterwarnings("ignore:Request failed, attempting reconnect")
@pytest.mark.parametrize("ask", [lambda runs: runs.wait, lambda runs: runs.join], ids=["wait", "join"])
async def test_a_wait_that_is_cut_is_taken_up(
    client: LangGraphClient, server: ServerProcess, ask: Callable[[Any], Any]
) -> None:
    """500 bytes are the headers and a part of the answer."""
    thread = await client.threads.create()
    given: tuple[str, ...] = (thread["thread_id"], "storyteller")
    asked: dict[str, Any] = {"input": STORY, "on_disconnect": "continue"}
    if ask(client.runs) == client.runs.join:
        run = await client.runs.create(*given, input=STORY)
        given, asked = (thread["thread_id"], run["run_id"]), {}
    async with CuttingProxy(server.port, [500]).listening() as proxy, get_client(url=proxy.url) as through:
        async with asyncio.timeout(60):
            values = await ask(through.runs)(*given, **asked)
        assert proxy.cut_count == 1
    assert [message["id"] for message in values["messages"][1:]] == ["beginning", "middle", "ending"]
    assert len(await client.runs.list(thread["thread_id"])) == 1
