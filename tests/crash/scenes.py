"""Twenty streamed runs that a server is killed under, and what must have become of them."""

import asyncio
import json
import random
import time
import uuid
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from tests.crash.journal import Note, finished_before, notes, order, repeated
from tests.server_process import ServerProcess
from tests.stream_reader import StreamReader
from tests.waiting import eventually

MARGIN = 0.5
"""Seconds that the checkpoint of a finished node may take with `durability: async` on a busy machine."""

TIMEOUT = httpx.Timeout(60, connect=10)


@dataclass
class Followed:
    """One thread with a streamed run, and the runs queued behind it."""

    thread_id: str
    body: dict[str, Any]
    reader: StreamReader
    queued: list[str] = field(default_factory=list)

    @property
    def durability(self) -> str:
        return str(self.body["durability"])


def body_of(number: int, journal: Path) -> dict[str, Any]:
    """Half of them work, half of them talk; their ways to keep checkpoints differ."""
    durability = ("sync", "async", "sync", "exit")[number // 2 % 4]
    shared = {"journal": str(journal), "pause": 0.25 if number % 2 else 0.08}
    if number % 2:
        given: dict[str, Any] = {**shared, "rounds": 8}
        return {"assistant_id": "slow", "input": given, "stream_mode": ["values"], "durability": durability}
    told = [{"role": "user", "content": "tell", "id": "question"}]
    return {
        "assistant_id": "storyteller",
        "input": {**shared, "messages": told},
        "stream_mode": ["messages-tuple", "updates", "values"],
        "durability": durability,
    }


async def new_thread(client: httpx.AsyncClient) -> str:
    """The id of a new thread."""
    answer = await client.post("/threads", json={})
    assert answer.status_code == 200, answer.text
    return str(answer.json()["thread_id"])


async def undisturbed(client: httpx.AsyncClient, body: dict[str, Any], further: int) -> Any:
    """The final values of the same runs without a crash, in no time."""
    thread_id = await new_thread(client)
    quick = {**body, "input": {**body["input"], "journal": "", "pause": 0}}
    answer = None
    for _ in range(further + 1):
        answer = await client.post(f"/threads/{thread_id}/runs/wait", json=quick)
        assert answer.status_code == 200, answer.text
    assert answer is not None
    return comparable(answer.json())


def comparable(values: dict[str, Any]) -> dict[str, Any]:
    """Values without what is given with the input."""
    return {key: value for key, value in values.items() if key not in ("journal", "pause")}


async def streams_survive(
    server: ServerProcess, blow: Callable[[], None], streams: int = 20, chance: random.Random | None = None
) -> None:
    """Start the streams, strike while all are under way, and check every promise."""
    journal = server.folder / f"journal-{uuid.uuid4()}"
    async with httpx.AsyncClient(base_url=server.url, timeout=TIMEOUT) as client:
        expected = [
            await undisturbed(client, body_of(number, journal), queued_behind(number)) for number in range(8)
        ]
        followed = [
            Followed(await new_thread(client), body_of(number, journal), StreamReader(client))
            for number in range(streams)
        ]
        readers = [
            asyncio.create_task(one.reader.create_and_follow(one.thread_id, one.body)) for one in followed
        ]
        await eventually(lambda: all(one.reader.location for one in followed), "not all streams have begun")
        for number, one in enumerate(followed):
            one.queued = [await queue(client, one) for _ in range(queued_behind(number))]
        nodes = 2 if chance is None else chance.choice((0, 1, 2))
        await eventually(
            lambda: all(len(one.reader.frames) > 1 for one in followed), "not all runs have begun"
        )
        await eventually(lambda: all_ended(journal, followed, nodes), "not all runs have come that far")
        if chance is not None:
            await asyncio.sleep(chance.uniform(0, 0.3))
        struck_at = time.time()
        await asyncio.to_thread(blow)
        async with asyncio.timeout(60):
            await asyncio.gather(*readers)
            for one in followed:
                await join_all(client, one)
        written = notes(journal)
        for number, one in enumerate(followed):
            check_stream(one.reader, every=chance is None)
            check_work(written, one, struck_at)
            await check_thread(client, one, expected[number % 8])


def queued_behind(number: int) -> int:
    """Some runs have others waiting behind them."""
    return 2 if number % 8 == 1 else 0


async def queue(client: httpx.AsyncClient, one: Followed) -> str:
    """Queue another run of the same kind; its id."""
    answer = await client.post(f"/threads/{one.thread_id}/runs", json=one.body)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["run_id"])


async def join_all(client: httpx.AsyncClient, one: Followed) -> None:
    """Wait for the runs queued behind."""
    for run_id in one.queued:
        await client.get(f"/threads/{one.thread_id}/runs/{run_id}/join")


def all_ended(journal: Path, followed: list[Followed], nodes: int) -> bool:
    """Whether so many nodes of every streamed run have ended."""
    ended = Counter(note.run_id for note in notes(journal) if note.word == "end")
    return all(ended[one.reader.run_id] >= nodes for one in followed)


def check_stream(reader: StreamReader, *, every: bool) -> None:
    """Ids grow; after the crash: the rest of the first attempt, the second one, and the final values. Unless
    `every` run was struck, some may have ended before."""
    reader.check_ids()
    attempts = [frame.data["attempt"] for frame in reader.of("metadata")]
    assert reader.frames[0].event == "metadata"
    assert reader.frames[-1].event == "values"
    assert attempts == [1, 2] or (attempts == [1] and not every), attempts
    if attempts == [1, 2]:
        second = next(frame for frame in reader.of("metadata") if frame.data["attempt"] == 2)
        assert second.connection > 1


def check_work(written: list[Note], one: Followed, struck_at: float) -> None:
    """What had finished is not done again, unless nothing was kept; runs go in the order of their creation."""
    run_id = one.reader.run_id
    again = repeated(written, run_id)
    if one.durability == "exit":
        # Nothing was kept: it starts over from its input.
        struck = len(one.reader.of("metadata")) > 1
        assert not struck or finished_before(written, run_id, struck_at) <= again
    else:
        margin = MARGIN if one.durability == "async" else 0.05
        assert not again & finished_before(written, run_id, struck_at - margin), (one.durability, again)
    assert order(written, one.thread_id) == [run_id, *one.queued]


async def check_thread(client: httpx.AsyncClient, one: Followed, expected: Any) -> None:
    """Every run is a success, the thread is idle and its state that of an undisturbed run."""
    for run_id in (one.reader.run_id, *one.queued):
        run = (await client.get(f"/threads/{one.thread_id}/runs/{run_id}")).json()
        assert run["status"] == "success", run
    thread = (await client.get(f"/threads/{one.thread_id}")).json()
    assert thread["status"] == "idle"
    assert comparable(thread["values"]) == expected, json.dumps(thread["values"])
    state = (await client.get(f"/threads/{one.thread_id}/state")).json()
    assert comparable(state["values"]) == expected
    if not one.queued:
        assert comparable(one.reader.frames[-1].data) == expected
