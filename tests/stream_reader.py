"""A client that follows one resumable run over as many connections as it takes."""

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any

import httpx

BROKEN = (httpx.TransportError, ConnectionError)
"""What a client sees of a server that was killed, or is not there."""

LOOK_EVERY = 0.02


@dataclass(frozen=True)
class Frame:
    """One SSE frame, and the number of the connection on which it came."""

    event: str
    data: Any
    id: tuple[int, int] | None
    connection: int


@dataclass
class StreamReader:
    """`frames` is what has come so far, over all connections."""

    client: httpx.AsyncClient
    frames: list[Frame] = field(default_factory=list)
    connections: int = 0
    location: str | None = None
    last_id: str | None = None

    async def create_and_follow(self, thread_id: str, body: dict[str, Any]) -> None:
        """Create a streamed run and follow it to its end, coming back after every break."""
        await self._read("POST", f"/threads/{thread_id}/runs/stream", {**body, "stream_resumable": True})
        await self.follow()

    async def follow(self) -> None:
        """Come back until the run has ended."""
        while await self._active():
            assert self.location is not None, "the run was never acknowledged"
            await self._read("GET", self.location, None)

    async def _active(self) -> bool:
        """Whether the run goes on; waits for a server that is away."""
        assert self.location is not None
        while True:
            try:
                answer = await self.client.get(self.location.removesuffix("/stream"))
                if answer.status_code == 404:
                    return False
                if answer.status_code == 200:
                    return self._unfinished(answer.json()["status"])
            except BROKEN:
                pass
            await asyncio.sleep(LOOK_EVERY)

    def _unfinished(self, status: str) -> bool:
        # What was said while nobody listened has to be fetched, also of a run that has ended.
        return status in ("pending", "running") or (self.connections > 0 and not self._ended_well)

    _ended_well: bool = False

    async def _read(self, method: str, path: str, body: Any) -> None:
        self.connections += 1
        self._ended_well = False
        headers = {"Last-Event-ID": self.last_id or "-"} if method == "GET" else {}
        try:
            async with self.client.stream(method, path, json=body, headers=headers) as answer:
                if answer.status_code != 200:
                    return
                self.location = answer.headers["location"]
                await self._take(answer)
                self._ended_well = True
        except BROKEN:
            return

    async def _take(self, answer: httpx.Response) -> None:
        rest = ""
        async for text in answer.aiter_text():
            *whole, rest = (rest + text).split("\r\n\r\n")
            for frame in whole:
                self._see(frame)

    def _see(self, text: str) -> None:
        fields = dict(line.split(": ", 1) for line in text.split("\r\n") if line and not line.startswith(":"))
        if not fields:
            return
        self.last_id = fields.get("id", self.last_id)
        place = tuple(int(part) for part in fields["id"].split("-")) if "id" in fields else None
        self.frames.append(Frame(fields["event"], json.loads(fields["data"]), place, self.connections))

    def of(self, event: str) -> list[Frame]:
        """The frames of one event."""
        return [frame for frame in self.frames if frame.event == event]

    @property
    def run_id(self) -> str:
        """The run, as its first frame says."""
        return str(self.frames[0].data["run_id"])

    def check_ids(self) -> None:
        """Every frame has an id, and ids only grow, over all connections."""
        ids = [frame.id for frame in self.frames]
        assert None not in ids, self.frames
        assert all(before < after for before, after in zip(ids, ids[1:], strict=False)), ids
