"""Who may start, answer and follow by the thread protocol."""

import asyncio
from collections.abc import Callable
from contextlib import aclosing
from typing import Any

import pytest

from robyn_server.engine import Engine
from robyn_server.errors import NotFound, Unprocessable
from robyn_server.resources.ids import new_id
from robyn_server.wire.protocol_v2.channels import read_subscription
from robyn_server.wire.protocol_v2.commands import ProtocolError, read_respond, read_run_start

EVERYTHING = read_subscription({"channels": ["values", "lifecycle", "input"]})
START = read_run_start({"assistant_id": "steps", "input": {"log": []}})
ANSWER = read_respond({"interrupt_id": "i", "response": 1})

ActingFor = Callable[[str], Engine]


async def test_a_thread_is_made_for_who_starts_on_it(acting_for: ActingFor) -> None:
    ann, bob, thread_id = acting_for("ann"), acting_for("bob"), new_id()
    run = await ann.protocol.start(thread_id, START)
    assert (run.resumable, run.kwargs["subgraphs"], run.kwargs["durability"]) == (True, True, "async")
    assert (await ann.threads.get(thread_id)).thread_id == thread_id
    with pytest.raises(ProtocolError, match="No interrupted run"):
        await bob.protocol.respond(thread_id, ANSWER)
    continuing = read_run_start({"assistant_id": "steps", "input": None})
    with pytest.raises(NotFound):
        await bob.protocol.start(thread_id, continuing)


async def test_who_waits_for_a_thread_that_becomes_somebody_elses_sees_nothing_of_it(
    acting_for: ActingFor,
) -> None:
    thread_id = new_id()
    events: Any = await acting_for("bob").protocol.events(thread_id, EVERYTHING)
    async with asyncio.timeout(5), aclosing(events):
        first = asyncio.ensure_future(anext(events))
        for _ in range(20):
            await asyncio.sleep(0)
        ann = acting_for("ann")
        run = await ann.protocol.start(thread_id, START)
        await ann.runs.cancel(thread_id, run.run_id, "interrupt", wait=False)
        # Ann hears of it, so the same was there for Bob to hear.
        anns: Any = await ann.protocol.events(thread_id, EVERYTHING)
        async with aclosing(anns):
            assert b"lifecycle" in await anext(anns)
        await asyncio.wait({first}, timeout=0.1)
        assert not first.done()
        first.cancel()
        await asyncio.wait({first})


async def test_who_waits_for_a_thread_hears_of_it_when_it_is_made(acting_for: ActingFor) -> None:
    ann, thread_id = acting_for("ann"), new_id()
    events: Any = await ann.protocol.events(thread_id, EVERYTHING)
    async with asyncio.timeout(5), aclosing(events):
        first = asyncio.ensure_future(anext(events))
        for _ in range(20):
            await asyncio.sleep(0)
        run = await ann.protocol.start(thread_id, START)
        await ann.runs.cancel(thread_id, run.run_id, "interrupt", wait=False)
        assert b"lifecycle" in await first


async def test_ids_that_are_none(engine: Engine) -> None:
    with pytest.raises(Unprocessable, match="Invalid thread ID"):
        await engine.protocol.start("abc", START)
    with pytest.raises(ProtocolError, match="No interrupted run"):
        await engine.protocol.respond("abc", ANSWER)
    assert [chunk async for chunk in await engine.protocol.events("abc", EVERYTHING)] == []


async def test_a_thread_that_has_asked_nothing_takes_no_answer(engine: Engine) -> None:
    thread_id = (await engine.threads.create()).thread_id
    with pytest.raises(ProtocolError) as raised:
        await engine.protocol.respond(thread_id, ANSWER)
    assert raised.value.code == "no_such_interrupt"
