"""What a run may write and when, and how often a graph is cancelled."""

import asyncio

import pytest

from robyn_server.worker.write_gate import LeaseGone, WriteGate


async def test_a_closed_gate_lets_nobody_in() -> None:
    gate = WriteGate()
    with gate.writing():
        pass
    await gate.close()
    with pytest.raises(LeaseGone), gate.writing():
        pass


async def test_closing_waits_for_writes_under_way_on_any_thread() -> None:
    gate = WriteGate()
    begun, go_on = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    written: list[str] = []

    def write_in_a_thread() -> None:
        with gate.writing():
            loop.call_soon_threadsafe(begun.set)
            asyncio.run_coroutine_threadsafe(go_on.wait(), loop).result()
            written.append("thread")

    writing = asyncio.create_task(asyncio.to_thread(write_in_a_thread))
    await begun.wait()
    closing = asyncio.create_task(gate.close())
    await asyncio.sleep(0)
    assert not closing.done()
    go_on.set()
    await closing
    assert written == ["thread"]
    await writing


async def test_a_write_that_fails_is_over_too() -> None:
    gate = WriteGate()
    with pytest.raises(ValueError), gate.writing():
        raise ValueError
    await gate.close()
