"""One open stream: what has come, what was handed to its thread, its heartbeats. See `streaming.py`."""

import asyncio
import weakref
from collections.abc import Callable, Coroutine, Iterator
from functools import partial
from queue import SimpleQueue
from typing import Any, Protocol

from robyn_server.web.errors import last_chunk
from robyn_server.web.routing import EventStream

SLOW_AFTER = 0.5
"""Seconds after which a chunk that nobody took is looked at less often."""

GAP = 0.4
"""Seconds between the writes of a probe; above a usual round trip, so that a reset has come back in between."""

STARVED_AFTER = 0.05
STARVED_UNTIL = 5.0
"""A chunk that waits longer than this waits for a slow client, not for a thread."""

MOST_UNSENT = 4 << 20
"""Bytes."""


class Hub(Protocol):
    """What a stream asks of those who serve all of them."""

    loop: asyncio.AbstractEventLoop
    heartbeat: float

    def mark(self, stream: "OpenStream") -> None:
        """The stream has something to hand over."""

    def forget(self, stream: "OpenStream") -> None:
        """The stream's body is gone."""

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run something to its end beside the streams."""


class OpenStream:
    """One stream, from the handler's answer until its body is dropped by Robyn."""

    __slots__ = (
        "_body", "_chunks", "_data_handed", "_handed_at", "_has_news", "_hub", "_marked", "_news_handed", "_next_probe",
        "_on_closed", "_probe_step", "_pump", "_request_id", "_room", "_unsent", "_unsent_bytes", "answer", "ended",
        "left_open",
    )  # fmt: skip

    def __init__(
        self, hub: Hub, answer: EventStream, request_id: str, on_closed: Callable[[bool], None]
    ) -> None:
        self.answer = answer
        self.ended = False
        self.left_open = False
        self._hub = hub
        self._request_id = request_id
        self._on_closed = on_closed
        self._chunks: SimpleQueue[bytes | None] = SimpleQueue()
        self._unsent: list[bytes] = []
        self._unsent_bytes = 0
        self._marked = False
        self._data_handed = False
        self._has_news = False
        self._news_handed = False
        self._handed_at = 0.0
        self._room: asyncio.Future[None] | None = None
        self._probe_step = 0
        self._next_probe = hub.loop.time() + hub.heartbeat
        self._body: weakref.ref[Any] | None = None
        self._pump = hub.loop.create_task(self._pull())
        self._pump.add_done_callback(self._pulled)

    def body(self) -> Iterator[bytes]:
        """What Robyn reads; None in the queue ends it. Its death is the sign that the response is over."""
        get = partial(self._chunks.get)
        loop, closed = self._hub.loop, self._closed
        self._body = weakref.ref(get, lambda _: loop.call_soon_threadsafe(closed))
        return iter(get, None)

    async def _pull(self) -> None:
        source = self.answer.chunks
        try:
            async for chunk in source:
                self._has_news = True
                self._push(chunk)
                if self._unsent_bytes > MOST_UNSENT:
                    self._room = self._hub.loop.create_future()
                    await self._room
        finally:
            close = getattr(source, "aclose", None)
            if close is not None:
                await close()

    def _pulled(self, pump: asyncio.Task[None]) -> None:
        if not pump.cancelled():
            error = pump.exception()
            if error is not None:
                self._push(last_chunk(error, self.answer.content_type, self._request_id))
        if not self.left_open:
            self._end()

    def leave_open(self) -> None:
        """Read no more of the source and never end the body: the end of the process breaks the connection. A client
        comes back from that; a body that ends in good order would tell it that this was all. Not a disconnect."""
        if self.ended or self.left_open:
            return
        self.left_open = True
        self._pump.cancel()
        if self.answer.farewell is not None:
            self._push(self.answer.farewell)
        self._mark()

    def is_delivered(self) -> bool:
        """Whether Robyn has everything of a body that is left open; one that has ended is gone then."""
        return self.left_open and not self._unsent and self._chunks.empty()

    def _push(self, chunk: bytes) -> None:
        self._unsent.append(chunk)
        self._unsent_bytes += len(chunk)
        self._mark()

    def _end(self) -> None:
        self.ended = self._has_news = True
        self._mark()

    def _mark(self) -> None:
        if not self._marked:
            self._marked = True
            self._hub.mark(self)

    def is_blocked(self) -> bool:
        """Whether the last chunk of data was not taken yet."""
        return self._data_handed and not self._chunks.empty()

    def is_starved(self, now: float) -> bool:
        """Whether news probably wait for a thread. Heartbeats do not count: each of them moves the line on by one."""
        return (
            self._news_handed and self.is_blocked() and STARVED_AFTER < now - self._handed_at < STARVED_UNTIL
        )

    def is_slow(self, now: float) -> bool:
        """Whether data has waited for some time."""
        return now - self._handed_at > SLOW_AFTER

    def hand_over(self, now: float) -> bool:
        """Give the thread what has come; whether there was anything."""
        self._marked = False
        unsent = self._unsent
        if unsent:
            self._chunks.put(unsent[0] if len(unsent) == 1 else b"".join(unsent))
            self._unsent = []
            self._unsent_bytes = 0
            self._release_pump()
        if self.ended:
            self._chunks.put(None)
        self._data_handed = True
        self._news_handed, self._has_news = self._has_news, False
        self._handed_at = now
        return bool(unsent)

    def release_thread(self) -> None:
        """When it waits for data: have its thread take an empty chunk and go back to the end of the line."""
        if not self.ended and self._chunks.empty():
            self._data_handed = False
            self._chunks.put(b"")

    def probe(self, now: float, may_begin: bool) -> bool:
        """Heartbeats, for as long as the response is open; on an idle stream each one is three writes. Whether one
        was begun, which happens only if it may.

        The write after a client has gone succeeds and provokes a reset; the second one fails, which closes the
        connection; the third, empty, frees the thread that still waits in `get`. The second is a bare line end
        because clients learn the cadence of heartbeats from the comments.
        """
        heartbeat = self.answer.heartbeat
        if heartbeat is None or self.ended or self.left_open or now < self._next_probe:
            return False
        idle = not self._unsent and not self.is_blocked()
        if self._probe_step == 0:
            if not may_begin:
                return False
            if self._unsent_bytes <= MOST_UNSENT:
                self._push(heartbeat)
            self._probe_step = 1 if idle else 0
            self._next_probe = now + (GAP if idle else self._hub.heartbeat)
            return True
        if self._probe_step == 1:
            if idle:
                self._push(b"\n" if heartbeat == b"\n" else b"\r\n")
            self._probe_step = 2
            self._next_probe = now + GAP
        else:
            self.release_thread()
            self._probe_step = 0
            self._next_probe = now + self._hub.heartbeat - 2 * GAP
        return False

    def _release_pump(self) -> None:
        room, self._room = self._room, None
        if room is not None and not room.done():
            room.set_result(None)

    def _closed(self) -> None:
        left_early = not (self.ended or self.left_open)
        self._body = None
        self._hub.forget(self)
        if left_early:
            self.ended = True
            self._pump.cancel()
            if self.answer.on_disconnect is not None:
                self._hub.spawn(_run(self.answer.on_disconnect))
        self._on_closed(left_early)


async def _run(callback: Callable[[], Any]) -> None:
    await callback()
