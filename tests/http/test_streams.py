"""Streams through the real SDK: modes, subgraphs, coming back, slow readers."""

import asyncio
import socket
import time
from typing import Any

import httpx
import pytest
from langgraph_sdk.client import LangGraphClient
from langgraph_sdk.schema import StreamPart

from tests.http.test_runs import thread_of, until_status
from tests.server_process import ServerProcess

MODES = (
    "values",
    "messages",
    "messages-tuple",
    "updates",
    "events",
    "debug",
    "custom",
    "tasks",
    "checkpoints",
)
SENTENCE = "the quick brown fox jumps over the lazy dog"
TELL = {"messages": [{"role": "user", "content": "tell"}], "pause": 0.03}


async def parts_of(
    client: LangGraphClient, graph: str, given: Any, modes: Any = "values", **options: Any
) -> list[StreamPart]:
    """A whole stream on a new thread."""
    thread_id = await thread_of(client)
    return [
        part async for part in client.runs.stream(thread_id, graph, input=given, stream_mode=modes, **options)
    ]


def events(parts: list[StreamPart]) -> set[str]:
    """Event names without the ids of tasks."""
    return {"|".join(piece.partition(":")[0] for piece in part.event.split("|")) for part in parts}


async def test_values(client: LangGraphClient) -> None:
    parts = await parts_of(client, "steps", {"log": []})
    assert parts[0].event == "metadata"
    assert parts[0].data["attempt"] == 1
    assert [part.data for part in parts[1:]] == [
        {"log": log} for log in ([], ["one"], ["one", "two"], ["one", "two", "three"])
    ]
    assert {part.id for part in parts} == {None}


@pytest.mark.parametrize("mode", MODES)
async def test_each_mode(client: LangGraphClient, mode: str) -> None:
    talks = mode.startswith("messages")
    given = {"messages": [{"role": "user", "content": "say"}]} if talks else {"log": []}
    parts = await parts_of(client, "talk" if talks else "subgraphs", given, mode)
    expected = {
        "messages": {"messages/metadata", "messages/partial"},
        "messages-tuple": {"messages"},
    }.get(mode, {mode})
    assert events(parts) == {"metadata", *expected}


@pytest.mark.parametrize("mode", [mode for mode in MODES if not mode.startswith("messages")])
async def test_each_mode_with_subgraphs(client: LangGraphClient, mode: str) -> None:
    parts = await parts_of(client, "subgraphs", {"log": []}, mode, stream_subgraphs=True)
    if mode == "events":
        assert events(parts) == {"metadata", "events"}
        return
    assert events(parts) == {"metadata", mode, f"{mode}|child", f"{mode}|child|grandchild"}


async def test_all_modes_at_once(client: LangGraphClient) -> None:
    parts = await parts_of(client, "steps", {"log": []}, list(MODES))
    seen = events(parts)
    assert {"values", "updates", "events", "debug", "custom", "tasks", "checkpoints"} <= seen
    assert [part.data for part in parts if part.event == "updates"] == [
        {word: {"log": [word]}} for word in ("one", "two", "three")
    ]


async def test_tokens(client: LangGraphClient) -> None:
    parts = await parts_of(
        client, "talk", {"messages": [{"role": "user", "content": "say"}]}, "messages-tuple"
    )
    chunks = [part.data[0] for part in parts if part.event == "messages"]
    assert "".join(chunk["content"] for chunk in chunks) == SENTENCE
    assert len({chunk["id"] for chunk in chunks}) == 1
    whole = await parts_of(client, "talk", {"messages": [{"role": "user", "content": "say"}]}, "messages")
    assert [part.data[0]["content"] for part in whole if part.event == "messages/partial"][-1] == SENTENCE


async def test_a_failure_is_the_last_frame(client: LangGraphClient) -> None:
    parts = []
    thread_id = await thread_of(client)
    async for part in client.runs.stream(thread_id, "failing", input={"log": []}):
        parts.append(part)
    assert parts[-1].event == "error"
    assert parts[-1].data["error"] == "ValueError"
    assert parts[-1].data["message"] == "it went wrong"


async def test_a_stateless_stream(client: LangGraphClient) -> None:
    parts = [
        part async for part in client.runs.stream(None, "steps", input={"log": []}, stream_mode="updates")
    ]
    assert [part.event for part in parts] == ["metadata", "updates", "updates", "updates"]


async def test_a_resumable_stream_can_be_read_again_from_anywhere(client: LangGraphClient) -> None:
    thread_id = await thread_of(client)
    run = await client.runs.create(
        thread_id, "storyteller", input=TELL, stream_mode=["messages-tuple", "values"], stream_resumable=True
    )
    live = [part async for part in client.runs.join_stream(thread_id, run["run_id"], last_event_id="-1")]
    ids = [tuple(int(piece) for piece in str(part.id).split("-")) for part in live]
    assert ids == sorted(set(ids))
    assert live[0].event == "metadata"
    assert live[-1].event == "values"
    again = [part async for part in client.runs.join_stream(thread_id, run["run_id"], last_event_id="-1")]
    assert again == live
    for place in (0, len(live) // 2, len(live) - 1):
        rest = client.runs.join_stream(thread_id, run["run_id"], last_event_id=live[place].id)
        assert [part async for part in rest] == live[place + 1 :]
    only = client.runs.join_stream(thread_id, run["run_id"], last_event_id="-1", stream_mode="values")
    assert [part async for part in only] == [part for part in live if part.event == "values"]


async def test_a_reader_who_comes_back_in_the_middle_misses_nothing(client: LangGraphClient) -> None:
    thread_id = await thread_of(client)
    taken: list[StreamPart] = []
    streamed = client.runs.stream(
        thread_id, "storyteller", input=TELL, stream_mode="messages-tuple", stream_resumable=True
    )
    async for part in streamed:
        taken.append(part)
        if len(taken) == 6:
            break
    await streamed.aclose()
    run_id = taken[0].data["run_id"]
    await until_status(client, thread_id, run_id, "running")
    taken += [part async for part in client.runs.join_stream(thread_id, run_id, last_event_id=taken[-1].id)]
    whole = [part async for part in client.runs.join_stream(thread_id, run_id, last_event_id="-1")]
    assert taken == whole


async def test_a_run_that_is_not_resumable_is_not_replayed(client: LangGraphClient) -> None:
    thread_id = await thread_of(client)
    run = await client.runs.create(thread_id, "steps", input={"log": []})
    await client.runs.join(thread_id, run["run_id"])
    joined = client.runs.join_stream(thread_id, run["run_id"], last_event_id="-1")
    assert [part async for part in joined] == []


async def test_many_readers_of_one_run_see_the_same(client: LangGraphClient) -> None:
    thread_id = await thread_of(client)
    run = await client.runs.create(
        thread_id, "storyteller", input=TELL, stream_mode="messages-tuple", stream_resumable=True
    )

    async def read() -> list[StreamPart]:
        return [part async for part in client.runs.join_stream(thread_id, run["run_id"], last_event_id="-1")]

    first, *others = await asyncio.gather(*(read() for _ in range(20)))
    assert len(first) > 1 and all(other == first for other in others)


async def test_a_thread_stream_shows_all_runs(client: LangGraphClient) -> None:
    thread_id = await thread_of(client)
    seen: list[StreamPart] = []

    async def read() -> None:
        async for part in await client.threads.join_stream(thread_id):
            seen.append(part)

    reading = asyncio.create_task(read())
    async with asyncio.timeout(10):
        while sum(part.data.get("status") == "run_done" for part in seen if part.event == "metadata") < 2:
            # Whether the reader has its place yet nobody says: so there is something to read until it has.
            await client.runs.wait(thread_id, "steps", input={"log": []})
    reading.cancel()
    assert {"metadata", "values"} <= {part.event for part in seen}
    assert all(part.id for part in seen)


@pytest.mark.parametrize("resumable", [True, False])
def test_a_slow_reader_holds_up_nobody(server: ServerProcess, resumable: bool) -> None:
    size = 8_000
    with server.http() as http:
        thread_id = http.post("/threads", json={}).json()["thread_id"]
        body = {"assistant_id": "flood", "input": {"size": size}, "stream_mode": "custom"}
        body["stream_resumable"] = resumable
        request = http.build_request("POST", f"/threads/{thread_id}/runs/stream", json=body)
        with socket.socket() as slow:
            slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            slow.settimeout(20)
            slow.connect(("127.0.0.1", server.port))
            slow.sendall(as_bytes(request))
            received = slow.recv(1000)
            ended = run_has_ended(http, thread_id)
            began = time.monotonic()
            assert http.get("/ok").status_code == 200
            assert time.monotonic() - began < 1
            while not received.endswith(b"\r\n0\r\n\r\n"):
                received += slow.recv(1 << 20)
    assert ended == "success"
    numbers = received.count(b'"number":')
    assert numbers == size or (not resumable and b"StreamGap" in received), numbers


def as_bytes(request: httpx.Request) -> bytes:
    lines = [f"{request.method} {request.url.path} HTTP/1.1"]
    lines += [f"{name}: {value}" for name, value in request.headers.items() if name != "connection"]
    return "\r\n".join([*lines, "", ""]).encode() + request.content


def run_has_ended(http: httpx.Client, thread_id: str) -> str:
    """The status of the thread's run once it has ended."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        runs = http.get(f"/threads/{thread_id}/runs").json()
        if runs and runs[0]["status"] not in ("pending", "running"):
            return str(runs[0]["status"])
    pytest.fail("the run waits for its reader")
