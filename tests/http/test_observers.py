"""Those who look on: joiners with filters in every spelling that clients use, whole threads, readers left behind."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest
from langgraph_sdk.client import LangGraphClient

from tests.http.test_runs import thread_of
from tests.http.test_streams import TELL, as_bytes, run_has_ended
from tests.server_process import ServerProcess
from tests.waiting import eventually

SPELLINGS = (
    "stream_mode=values",
    "stream_mode=values&stream_mode=custom",
    'stream_mode=["values","custom"]',
    "stream_mode=values,custom",
    "stream_mode=values&checkpoint_id=1ef00000-0000-6000-8000-000000000000&unheard_of=1",
    "stream_mode=",
    "",
)
SHOWN = (
    {"values"},
    *[{"values", "custom"}] * 3,
    {"values"},
    *[{"metadata", "values", "updates", "custom"}] * 2,
)


@pytest.fixture
async def http(server: ServerProcess) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=server.url, timeout=30) as client:
        yield client


async def told(
    http: httpx.AsyncClient, path: str, last: str | None = "-"
) -> list[tuple[str, Any, str | None]]:
    """The frames of a whole stream: event, data, id."""
    headers = {"last-event-id": last, "content-type": "application/json"} if last is not None else {}
    return frames((await http.get(path, headers=headers)).text)


def frames(text: str) -> list[tuple[str, Any, str | None]]:
    found = []
    for frame in text.split("\r\n\r\n"):
        fields = dict(
            line.split(": ", 1) for line in frame.split("\r\n") if line and not line.startswith(":")
        )
        if fields:
            found.append((fields["event"], json.loads(fields["data"]), fields.get("id")))
    return found


async def finished(client: LangGraphClient, **options: Any) -> str:
    """The path of a resumable run that has ended."""
    thread_id = await thread_of(client)
    modes: Any = ["values", "updates", "custom"]
    run = await client.runs.create(
        thread_id, "steps", input={"log": []}, stream_mode=modes, stream_resumable=True, **options
    )
    await client.runs.join(thread_id, run["run_id"])
    return f"/threads/{thread_id}/runs/{run['run_id']}/stream"


async def test_filters_in_every_spelling(client: LangGraphClient, http: httpx.AsyncClient) -> None:
    path = await finished(client)
    for spelling, shown in zip(SPELLINGS, SHOWN, strict=True):
        seen = {event for event, _, _ in await told(http, f"{path}?{spelling}")}
        assert seen == shown, spelling


async def test_places_in_every_form(client: LangGraphClient, http: httpx.AsyncClient) -> None:
    path = await finished(client)
    whole = await told(http, path, "-")
    for start in ("0", "0-0", "-1"):
        assert await told(http, path, start) == whole, start
    assert await told(http, path, None) == []
    assert await told(http, path, "zzz") == []
    assert await told(http, path, "9999999999999-0") == []
    assert await told(http, f"{path}?last_event_id=-", None) == whole
    assert await told(http, path, whole[2][2]) == whole[3:]


async def test_each_observer_has_a_filter_of_its_own(
    client: LangGraphClient, http: httpx.AsyncClient
) -> None:
    thread_id = await thread_of(client)
    modes: Any = ["values", "messages-tuple", "updates"]
    run = await client.runs.create(
        thread_id, "storyteller", input=TELL, stream_mode=modes, stream_resumable=True
    )
    path = f"/threads/{thread_id}/runs/{run['run_id']}/stream"
    everything, *filtered = await asyncio.gather(
        told(http, path), *(told(http, f"{path}?stream_mode={mode}") for mode in (*modes, "tasks"))
    )
    for mode, seen in zip((*modes, "tasks"), filtered, strict=True):
        name = mode.removesuffix("-tuple")
        assert seen == [frame for frame in everything if frame[0] == name], mode
    # What nobody asked for when the run was created is not computed for who comes later.
    assert filtered[-1] == []


async def test_a_run_that_nobody_knows(client: LangGraphClient, http: httpx.AsyncClient) -> None:
    thread_id = await thread_of(client)
    path = f"/threads/{thread_id}/runs/{thread_id}"
    missing = {"error": "HTTPException", "message": "404: Run not found"}
    assert [frame[:2] for frame in await told(http, f"{path}/stream")] == [("error", missing)]
    assert (await http.get(f"{path}/join")).json() == {"__error__": missing}


class Listener:
    """Follows a thread's stream in the background."""

    def __init__(self, http: httpx.AsyncClient, path: str, **headers: str) -> None:
        self.text = ""
        self.status = 0
        self._task = asyncio.create_task(self._listen(http, path, headers))

    async def _listen(self, http: httpx.AsyncClient, path: str, headers: dict[str, str]) -> None:
        async with http.stream("GET", path, headers=headers) as answer:
            self.status = answer.status_code
            async for text in answer.aiter_text():
                self.text += text

    def seen(self) -> list[tuple[str, Any, str | None]]:
        """The whole frames so far."""
        whole, _, _ = self.text.rpartition("\r\n\r\n")
        return frames(whole)

    async def leave(self) -> None:
        self._task.cancel()
        await asyncio.wait({self._task})


@pytest.mark.parametrize("name", ["stream_modes", "stream_mode"])
async def test_a_thread_is_followed_by_what_one_asks_for(
    client: LangGraphClient, http: httpx.AsyncClient, name: str
) -> None:
    thread_id = await thread_of(client)
    await client.runs.wait(thread_id, "steps", input={"log": []})
    path = f"/threads/{thread_id}/stream"
    asked = {
        "run_modes": f"{name}=run_modes",
        "lifecycle": f'{name}=["lifecycle"]',
        "both": f"{name}=lifecycle,state_update",
        "default": "",
    }
    listeners = {key: Listener(http, f"{path}?{query}") for key, query in asked.items()}
    await eventually(lambda: all(one.status == 200 for one in listeners.values()))

    async def said_and_heard() -> bool:
        # Whether a reader has its place yet nobody says: so there is something to read until all have.
        await client.runs.wait(thread_id, "steps", input={"log": []})
        await client.threads.update_state(thread_id, {"log": ["by hand"]})
        return all(one.seen() for one in listeners.values()) and bool(
            [frame for frame in listeners["both"].seen() if frame[0] == "state_update"]
        )

    await eventually(said_and_heard)
    seen = {key: {frame[0] for frame in one.seen()} for key, one in listeners.items()}
    assert seen == {
        "run_modes": {"metadata", "values"},
        "lifecycle": {"metadata"},
        "both": {"metadata", "state_update"},
        "default": {"metadata", "values"},
    }
    update = next(frame for frame in listeners["both"].seen() if frame[0] == "state_update")
    assert update[1]["thread_id"] == thread_id
    assert update[1]["state"]["values"]["log"][-1] == "by hand"
    assert all(frame[2] for one in listeners.values() for frame in one.seen())
    for one in listeners.values():
        await one.leave()


@pytest.mark.parametrize("given", ["header", "query"])
async def test_a_thread_is_replayed_from_a_place(
    client: LangGraphClient, http: httpx.AsyncClient, given: str
) -> None:
    path = (await finished(client)).partition("/runs/")[0] + "/stream"

    def listen(place: str) -> Listener:
        if given == "header":
            return Listener(http, path, **{"last-event-id": place})
        return Listener(http, f"{path}?last_event_id={place}")

    whole = listen("-")
    await eventually(lambda: any(data.get("status") == "run_done" for _, data, _ in whole.seen()))
    place = whole.seen()[3][2]
    assert place is not None
    rest = listen(place)
    await eventually(lambda: any(data.get("status") == "run_done" for _, data, _ in rest.seen()))
    assert rest.seen() == whole.seen()[4:]
    for one in (whole, rest):
        await one.leave()
    assert (await http.get(path, headers={"last-event-id": "zzz"})).status_code == 422
    assert (await http.get(f"{path}?stream_mode=nonsense")).status_code == 422


async def test_a_reader_left_behind_is_told_and_can_read_the_state(
    server_factory: Callable[..., ServerProcess],
) -> None:
    server = server_factory(environ={"EVENT_RING_BYTES_PER_THREAD": "65536"}).start()
    size = 12_000
    with server.http() as plain:
        thread_id = plain.post("/threads", json={}).json()["thread_id"]
        body = {"assistant_id": "flood", "input": {"size": size}, "stream_mode": "custom"}
        request = plain.build_request("POST", f"/threads/{thread_id}/runs/stream", json=body)
        received = await asyncio.to_thread(read_late, server, request, plain, thread_id)
    assert received.endswith(b"\r\n0\r\n\r\n"), "the stream was not closed"
    assert received.count(b'"number":') < size
    assert received.count(b'"StreamGap"') == 1
    assert b"event: error" in received.rpartition(b'"StreamGap"')[0][-200:]
    async with server.sdk() as client:
        assert (await client.threads.get_state(thread_id))["values"]["log"] == ["flooded"]
    server.stop()


def read_late(server: ServerProcess, request: httpx.Request, http: httpx.Client, thread_id: str) -> bytes:
    """Read a run's stream only when the run has ended."""
    with socket.socket() as slow:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.settimeout(20)
        slow.connect(("127.0.0.1", server.port))
        slow.sendall(as_bytes(request))
        received = slow.recv(1000)
        assert run_has_ended(http, thread_id) == "success"
        while not received.endswith(b"\r\n0\r\n\r\n"):
            more = slow.recv(1 << 20)
            assert more, "the connection was cut"
            received += more
    return received
