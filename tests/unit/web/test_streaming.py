"""Which open streams make the others let go of their threads. Nobody reads the bodies here: all threads are taken."""

import asyncio
from collections.abc import AsyncIterator

from robyn_server.web.open_stream import GAP, STARVED_AFTER, OpenStream
from robyn_server.web.routing import EventStream
from robyn_server.web.streaming import StreamHub

HEARTBEAT = 5.0


async def _open(hub: StreamHub, chunks: AsyncIterator[bytes]) -> OpenStream:
    stream = OpenStream(hub, EventStream(chunks), "id", lambda _: None)
    await _flushed()
    return stream


async def _flushed() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def _silence() -> AsyncIterator[bytes]:
    await asyncio.Event().wait()
    yield b""


async def _news() -> AsyncIterator[bytes]:
    yield b"event: news\r\n\r\n"
    await asyncio.Event().wait()


async def _nothing() -> AsyncIterator[bytes]:
    for chunk in ():
        yield chunk


def _later(hub: StreamHub) -> float:
    return hub.loop.time() + 2 * STARVED_AFTER


async def test_news_that_nobody_takes_want_a_thread() -> None:
    hub = StreamHub(HEARTBEAT, capacity=1)
    stream = await _open(hub, _news())
    assert stream.is_blocked()
    assert stream.is_starved(_later(hub))


async def test_an_end_that_nobody_takes_wants_one_too() -> None:
    hub = StreamHub(HEARTBEAT, capacity=1)
    stream = await _open(hub, _nothing())
    assert stream.ended
    assert stream.is_starved(_later(hub))


async def test_a_heartbeat_waits_for_its_turn() -> None:
    hub = StreamHub(HEARTBEAT, capacity=1)
    stream = await _open(hub, _silence())
    due = hub.loop.time() + HEARTBEAT
    assert stream.probe(due, may_begin=True)
    await _flushed()
    assert stream.is_blocked()
    assert not stream.is_starved(_later(hub))
    stream.probe(due + GAP, may_begin=False)
    await _flushed()
    assert not stream.is_starved(_later(hub))
