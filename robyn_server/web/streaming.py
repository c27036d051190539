"""Long answers. Robyn pulls the body of a stream from a blocking iterator on a thread; here is what feeds it.

- The iterator is `iter(partial(SimpleQueue.get), None)`: the thread runs C code only, which halves the cost of a chunk.
- One flusher serves all streams: it joins what has come since and hands each stream one chunk. After a flush of n
  chunks it pauses n * COST, so a busy server sends fewer, larger chunks, and an idle one sends at once.
- A chunk is handed over only when the one before was taken. A slow client's chunks grow together, up to
  MOST_UNSENT; then its source is no longer read.
- A thread that is woken for a chunk needs the interpreter's lock, which a busy loop gives away every 5 ms only. So the
  loop sleeps for a moment after a chunk or two; with many on their way that would only hold it up.
- Only a failing write tells that a client has left: see `OpenStream.probe`.
- A waiting stream holds a thread. When more streams are open than there are threads, idle ones are made to let go
  of theirs (an empty chunk is not sent) whenever news wait for a thread.

Everything runs on the loop's thread but the iterators. Of Robyn it knows `get_version` only.
"""

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from typing import Any

from robyn.robyn import get_version

from robyn_server.web.open_stream import GAP, OpenStream
from robyn_server.web.routing import EventStream

COST = 60e-6
"""Seconds of CPU that one chunk costs."""

LONGEST_PAUSE = 0.05
GIVE_WAY = 50e-6
"""Seconds that the loop sleeps for the threads that were given chunks, if these are FEW_CHUNKS at most."""

FEW_CHUNKS = 2
RETRY = 0.001
RETRY_EACH = 100e-6
RETRY_MANY = 0.005
"""Chunks that nobody took yet are looked at again after RETRY and RETRY_EACH for each of them, at most RETRY_MANY."""

RETRY_SLOW = 0.05
TICK = 0.2
TICK_CROWDED = 0.1
BEATS = 50
"""So many heartbeats may always begin at a tick; of many streams twice as many as there are on average."""

MOST_PROBED = 250
"""Of more streams a part at a time is looked at, spread over the tick: else the threads of all that have a heartbeat
would be woken at once, and everything would wait for them."""


class StreamHub:
    """All open streams. `heartbeat` in seconds, `capacity` how many of them may hold a thread at once."""

    def __init__(self, heartbeat: float, capacity: int) -> None:
        self.loop = asyncio.get_running_loop()
        self.heartbeat = max(heartbeat, 3 * GAP)
        self._capacity = capacity
        self._streams: set[OpenStream] = set()
        self._marked: list[OpenStream] = []
        self._armed = False
        self._not_before = 0.0
        self._tasks: set[asyncio.Task[None]] = set()
        self._ticker = self.loop.create_task(self._tick())

    def __len__(self) -> int:
        return len(self._streams)

    def open(
        self, answer: EventStream, request_id: str, on_closed: Callable[[bool], None]
    ) -> Iterator[bytes]:
        """Begin to read `answer.chunks`; the body to give to Robyn. `on_closed(left_early)` is called once."""
        stream = OpenStream(self, answer, request_id, on_closed)
        self._streams.add(stream)
        return stream.body()

    async def leave_all(self, within: float) -> None:
        """Send what has come of every stream, at most `within` seconds long, and leave open those that go on."""
        for stream in tuple(self._streams):
            stream.leave_open()
        until = self.loop.time() + within
        while not all(stream.is_delivered() for stream in self._streams) and self.loop.time() < until:
            get_version()
            # Robyn tells nobody that a body is over: see `_tick`.
            await asyncio.sleep(0.02)

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run something to its end beside the streams."""
        task = self.loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def settle(self, within: float) -> None:
        """Wait, at most `within` seconds, for what `spawn` has begun."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=within)

    def forget(self, stream: OpenStream) -> None:
        """The stream's body is gone."""
        self._streams.discard(stream)

    def mark(self, stream: OpenStream) -> None:
        """The stream has something to hand over."""
        self._marked.append(stream)
        if not self._armed:
            self._arm(self._not_before)

    def _arm(self, at: float) -> None:
        self._armed = True
        if self.loop.time() >= at:
            self.loop.call_soon(self._flush)
        else:
            self.loop.call_at(at, self._flush)

    def _flush(self) -> None:
        self._armed = False
        marked, self._marked = self._marked, []
        now, handed, hopeful = self.loop.time(), 0, 0
        for stream in marked:
            if not stream.is_blocked():
                handed += stream.hand_over(now)
            elif stream in self._streams:
                self._marked.append(stream)
                hopeful += not stream.is_slow(now)
        self._not_before = now + min(handed * COST, LONGEST_PAUSE)
        if 0 < handed <= FEW_CHUNKS:
            time.sleep(GIVE_WAY)
        if self._marked:
            retry = min(RETRY + hopeful * RETRY_EACH, RETRY_MANY) if hopeful else RETRY_SLOW
            self._arm(max(self._not_before, now + retry))

    async def _tick(self) -> None:
        while True:
            streams = tuple(self._streams)
            crowded = len(streams) > self._capacity
            tick = TICK_CROWDED if crowded else TICK
            parts = 1 + len(streams) // MOST_PROBED
            # Streams that were opened together, after a restart say, would go on having their heartbeats together.
            beats = max(BEATS, 2 * len(streams) * tick / self.heartbeat) / parts
            for part in range(parts):
                await asyncio.sleep(tick / parts)
                # Rust drops bodies without the interpreter's lock; what it owes is done at the next call into it.
                get_version()
                self._probe(streams[part::parts], beats)
            now = self.loop.time()
            if crowded and any(stream.is_starved(now) for stream in streams):
                for stream in self._streams:
                    stream.release_thread()

    def _probe(self, streams: Sequence[OpenStream], beats: float) -> None:
        now = self.loop.time()
        for stream in streams:
            beats -= stream.probe(now, beats > 0)
