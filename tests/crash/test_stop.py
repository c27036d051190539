"""SIGTERM while runs stream: they are handed back, and go on after the next start."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.crash.scenes import Followed, body_of, check_thread, new_thread, queue, undisturbed
from tests.http.test_observers import told
from tests.server_process import ServerProcess
from tests.stream_reader import StreamReader
from tests.waiting import eventually, listens, until

GRACE = 1


async def test_a_stopped_server_hands_its_runs_back(server_factory: Callable[..., ServerProcess]) -> None:
    # No attempt may fail here: a hand-back that counted as one would end the run.
    server = server_factory(environ={"SHUTDOWN_GRACE_SECONDS": str(GRACE), "BG_JOB_MAX_RETRIES": "0"}).start()
    async with httpx.AsyncClient(base_url=server.url, timeout=30) as client:
        bodies = [body_of(number, server.folder / "journal") for number in range(8)]
        expected = [await undisturbed(client, body, 0) for body in bodies]
        followed = [Followed(await new_thread(client), body, StreamReader(client)) for body in bodies]
        readers = [
            asyncio.create_task(one.reader.create_and_follow(one.thread_id, one.body)) for one in followed
        ]
        await eventually(
            lambda: all(len(one.reader.frames) > 1 for one in followed), "not all runs have begun"
        )
        waiting = Followed(followed[0].thread_id, bodies[0], StreamReader(client))
        later = await queue(client, waiting)
        began = time.monotonic()
        await asyncio.to_thread(stop_in_order, server)
        assert time.monotonic() - began < GRACE + 4
        await asyncio.to_thread(server.start)
        async with asyncio.timeout(30):
            await asyncio.gather(*readers)
            await client.get(f"/threads/{waiting.thread_id}/runs/{later}/join")
        for one, values in zip(followed[1:], expected[1:], strict=True):
            one.reader.check_ids()
            assert [frame.data["attempt"] for frame in one.reader.of("metadata")] == [1, 2]
            assert [frame.id for frame in one.reader.frames] == await replayed(client, one), (
                "frames were lost"
            )
            await check_thread(client, one, values)
        run = (await client.get(f"/threads/{waiting.thread_id}/runs/{later}")).json()
        assert run["status"] == "success"
    server.stop()


async def replayed(client: httpx.AsyncClient, one: Followed) -> list[tuple[int, ...]]:
    """The ids of all that a run has said, from the start."""
    return [
        tuple(map(int, str(place).split("-"))) for _, _, place in await told(client, str(one.reader.location))
    ]


def stop_in_order(server: ServerProcess) -> None:
    """SIGTERM: new connections are refused at once, and the end is in good order."""
    server.terminate()
    until(lambda: not listens(server.port), "it still accepts connections", seconds=GRACE)
    server.has_ended(within=GRACE + 10)


async def test_a_run_that_ends_within_the_grace_time_is_not_cut_off(
    server_factory: Callable[..., ServerProcess],
) -> None:
    server = server_factory(environ={"SHUTDOWN_GRACE_SECONDS": "20"}).start()
    async with httpx.AsyncClient(base_url=server.url, timeout=30) as client:
        one = Followed(await new_thread(client), body_of(1, server.folder / "journal"), StreamReader(client))
        reading = asyncio.create_task(one.reader.create_and_follow(one.thread_id, one.body))
        await eventually(lambda: len(one.reader.frames) > 1, "the run has not begun")
        began = time.monotonic()
        await asyncio.to_thread(stop_in_order, server)
        assert time.monotonic() - began < 10
        await asyncio.to_thread(server.start)
        await reading
        assert [frame.data["attempt"] for frame in one.reader.of("metadata")] == [1]
        assert len(one.reader.frames[-1].data["log"]) == 8
        assert one.reader.connections == 1
    server.stop()


@pytest.mark.filterwarnings("ignore:Request failed, attempting reconnect")
async def test_who_waits_or_streams_is_told_nothing_half_done(
    server_factory: Callable[..., ServerProcess],
) -> None:
    server = server_factory(environ={"SHUTDOWN_GRACE_SECONDS": str(GRACE)}).start()
    given = {"log": [], "rounds": 15, "pause": 0.3}
    async with server.sdk() as sdk, httpx.AsyncClient(base_url=server.url, timeout=30) as http:
        threads = [(await sdk.threads.create())["thread_id"] for _ in range(3)]
        waiting = asyncio.create_task(sdk.runs.wait(threads[0], "slow", input=given))
        run = await sdk.runs.create(threads[1], "slow", input=given)
        joining = asyncio.create_task(sdk.runs.join(threads[1], run["run_id"]))
        seen: list[str] = []
        reading = asyncio.create_task(read_to_the_break(http, threads[2], {"input": given}, seen))
        await eventually(lambda: any("step1" in line for line in seen), "the stream has not begun")
        await asyncio.to_thread(stop_in_order, server)
        await reading
        assert [line for line in seen if line][-1] == ": server is shutting down"
        await asyncio.to_thread(server.start)
        async with asyncio.timeout(30):
            assert [len((await one)["log"]) for one in (waiting, joining)] == [15, 15]
    server.stop()


async def read_to_the_break(
    http: httpx.AsyncClient, thread_id: str, body: dict[str, Any], seen: list[str]
) -> None:
    """The lines of a stream that does not end in good order."""
    asked = {"assistant_id": "slow", **body}
    with pytest.raises(httpx.RemoteProtocolError):
        async with http.stream("POST", f"/threads/{thread_id}/runs/stream", json=asked) as answer:
            async for line in answer.aiter_lines():
                seen.append(line)
