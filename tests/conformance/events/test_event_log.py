"""What an event log promises, whoever implements it."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from robyn_server.events.interfaces import EventLog, LogGap
from robyn_server.events.log import InProcessEventLog
from robyn_server.resources.event import END_OF_RUN, START, EventId, RunEvent
from robyn_server.storage.event_spill import open_spill

T, R = "thread", "run"


def put(
    log: EventLog, count: int, *, thread: str = T, run: str = R, resumable: bool = False, size: int = 10
) -> None:
    for n in range(count):
        log.append(thread, run, 1, resumable, [("values", b"%d" % n + b" " * size)])


async def collect(batches: AsyncIterator[list[RunEvent]]) -> list[RunEvent]:
    async with asyncio.timeout(5):
        return [entry async for batch in batches for entry in batch]


def numbers(entries: list[RunEvent]) -> list[int]:
    return [int(entry.data) for entry in entries if entry.event != END_OF_RUN]


async def test_ids_only_grow_also_within_a_millisecond(event_log: EventLog) -> None:
    cursor = await event_log.tail(T)
    put(event_log, 500, resumable=True)
    event_log.end(T, R, 1, True)
    ids = [entry.id for entry in await collect(event_log.follow(T, cursor, R))]
    assert ids == sorted(set(ids)) and len(ids) == 501


async def test_who_comes_after_events_of_his_run_were_dropped_is_told_of_the_gap(
    in_process: InProcessEventLog,
) -> None:
    cursor = await in_process.tail(T)
    put(in_process, 500)
    with pytest.raises(LogGap):
        await collect(in_process.follow(T, cursor, R))
    other = await in_process.tail(T)
    in_process.end(T, "other", 1, False)
    assert numbers(await collect(in_process.follow(T, other, "other"))) == []


async def test_a_cursor_taken_before_the_first_event_sees_all_of_them(event_log: EventLog) -> None:
    cursor = await event_log.tail(T)
    put(event_log, 3)
    event_log.end(T, R, 1, False)
    assert numbers(await collect(event_log.follow(T, cursor, R))) == [0, 1, 2]


async def test_a_live_reader_gets_what_comes_and_stops_at_the_end_of_its_run(event_log: EventLog) -> None:
    cursor = await event_log.tail(T)
    reading = asyncio.create_task(collect(event_log.follow(T, cursor, R)))
    for n in range(3):
        await asyncio.sleep(0)
        event_log.append(T, R, 1, False, [("values", b"%d" % n)])
    event_log.append(T, "other", 1, False, [("values", b"7")])
    event_log.end(T, R, 1, False, b"result")
    entries = await reading
    assert numbers(entries) == [0, 1, 2]
    assert entries[-1].event == END_OF_RUN and entries[-1].data == b"result"


async def test_events_of_other_runs_are_left_out(event_log: EventLog) -> None:
    cursor = await event_log.tail(T)
    put(event_log, 2, run="a")
    event_log.end(T, "a", 1, False)
    put(event_log, 3, run="b")
    event_log.end(T, "b", 1, False)
    assert numbers(await collect(event_log.follow(T, cursor, "b"))) == [0, 1, 2]


async def test_a_reader_of_the_thread_sees_every_run_and_their_ends(event_log: EventLog) -> None:
    cursor = await event_log.tail(T)
    put(event_log, 1, run="a")
    event_log.end(T, "a", 1, False)
    put(event_log, 1, run="b")
    entries = await collect(event_log.follow(T, cursor, stored_only=True))
    assert [(entry.run_id, entry.event) for entry in entries] == [("a", "values"), ("a", ""), ("b", "values")]


async def test_going_on_after_an_id_repeats_and_loses_nothing(event_log: EventLog) -> None:
    cursor = await event_log.tail(T)
    put(event_log, 50, resumable=True)
    event_log.end(T, R, 1, True)
    entries = await collect(event_log.follow(T, cursor, R))
    for at in (0, 17, 49):
        rest = await collect(event_log.follow(T, entries[at].id, R))
        assert [entry.id for entry in rest] == [entry.id for entry in entries[at + 1 :]]


async def test_a_reader_behind_the_ring_reads_resumable_events_from_the_spill(event_log: EventLog) -> None:
    cursor = await event_log.tail(T)
    put(event_log, 300, resumable=True, size=1_000)
    event_log.end(T, R, 1, True)
    assert numbers(await collect(event_log.follow(T, cursor, R))) == list(range(300))


async def test_a_live_reader_overtaken_by_the_ring_is_told_of_the_gap(in_process: InProcessEventLog) -> None:
    cursor = await in_process.tail(T)
    put(in_process, 1)
    reading = in_process.follow(T, cursor, R)
    assert numbers(await anext(reading)) == [0]
    put(in_process, 300, size=1_000)
    with pytest.raises(LogGap):
        await anext(reading)


async def test_a_stopped_reader_costs_nothing_and_blocks_nobody(in_process: InProcessEventLog) -> None:
    cursor = await in_process.tail(T)
    put(in_process, 1, resumable=True)
    stopped = in_process.follow(T, cursor, R)
    await anext(stopped)
    put(in_process, 2_000, resumable=True, size=1_000)
    assert in_process.held_bytes < 60_000
    in_process.end(T, R, 1, True)
    assert len(numbers(await collect(stopped))) == 2_000


async def test_memory_of_many_threads_is_bounded(in_process: InProcessEventLog) -> None:
    for n in range(100):
        thread = f"t{n}"
        in_process.open_new(thread)
        in_process.append(thread, R, 1, False, [("values", b" " * 10_000)])
        in_process.end(thread, R, 1, False)
    assert in_process.held_bytes <= 200_000


async def test_when_memory_is_full_room_is_made_for_many_appends_at_once(
    in_process: InProcessEventLog,
) -> None:
    held = []
    for n in range(300):
        put(in_process, 1, thread=f"t{n % 10}", size=1_000)
        held.append(in_process.held_bytes)
    assert 190_000 < max(held) <= 200_000
    assert min(held[200:]) < 190_000


async def test_finished_runs_that_nobody_reads_give_their_memory_back_at_once(tmp_path: Path) -> None:
    log = InProcessEventLog(open_spill(tmp_path), idle_bytes=50_000, grace=0.0)
    cursor = await log.tail("read")
    put(log, 1, thread="read", size=10_000)
    reading = log.follow("read", cursor, R)
    await anext(reading)
    for n in range(100):
        thread = f"t{n}"
        tail = log.open_new(thread)
        put(log, 1, thread=thread, size=10_000)
        log.end(thread, R, 1, False)
        assert log.open_new(thread) > tail
        assert log.held_bytes < 70_000
    log.end("read", R, 1, False)
    assert (await anext(reading))[-1].event == END_OF_RUN
    await reading.aclose()
    put(log, 1, thread="t0")
    log.end("t0", R, 1, False)
    assert log.held_bytes < 60_000
    await log.close()


async def test_a_ring_let_go_before_its_run_begins_is_made_anew_above_the_old(tmp_path: Path) -> None:
    log = InProcessEventLog(open_spill(tmp_path), idle_bytes=0, grace=0.0)
    await log.tail(T)
    put(log, 5)
    log.end(T, R, 1, False)
    before = await log.tail(T)
    put(log, 1, thread="other")
    log.end("other", R, 1, False)
    put(log, 1)
    after = await collect(log.follow(T, before, R, stored_only=True))
    assert len(after) == 1 and after[0].id > before
    await log.close()


async def test_a_deleted_thread_ends_its_readers(event_log: EventLog) -> None:
    cursor = await event_log.tail(T)
    put(event_log, 1, resumable=True)
    following = event_log.follow(T, cursor)
    assert numbers(await anext(following)) == [0]
    reading = asyncio.create_task(collect(following))
    await asyncio.sleep(0)
    await event_log.forget_thread(T)
    await reading
    assert await collect(event_log.follow(T, START, stored_only=True)) == []


async def test_after_a_restart_resumable_events_are_there_and_ids_go_on(tmp_path: Path) -> None:
    before = InProcessEventLog(open_spill(tmp_path))
    cursor = await before.tail(T)
    put(before, 20, resumable=True)
    entries = await collect(before.follow(T, cursor, R, stored_only=True))
    await before.close()

    after = InProcessEventLog(open_spill(tmp_path))
    assert await after.tail(T) == entries[-1].id
    after.append(T, R, 2, True, [("metadata", b"21")])
    after.end(T, R, 2, True)
    again = await collect(after.follow(T, entries[4].id, R))
    assert [entry.id for entry in again[:15]] == [entry.id for entry in entries[5:]]
    assert again[15].attempt == 2 and again[15].id > entries[-1].id
    await after.close()


def test_an_event_id_reads_what_it_writes() -> None:
    assert EventId.parse(str(EventId(1795158776953, 4))) == EventId(1795158776953, 4)
    for wrong in ("", "-", "1", "1-", "-1", "a-1", "1-1-1", "+1-1", "9" * 30 + "-0"):
        assert EventId.parse(wrong) is None
