import asyncio
import sys
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from robyn_server.errors import Unavailable
from robyn_server.resources.event import END_OF_RUN, START, EventId, RunEvent
from robyn_server.storage.encryption.cipher import Cipher
from robyn_server.storage.event_file import SWEEP_ENTRIES
from robyn_server.storage.event_spill import EVENTS_FILE, FLUSH_ENTRIES, SqliteSpill, open_spill


@pytest.fixture
async def spill(tmp_path: Path, cipher: Cipher) -> AsyncIterator[SqliteSpill]:
    opened = open_spill(tmp_path, cipher)
    yield opened
    await opened.close()


def event(ms: int, seq: int = 0, run_id: str = "r", name: str = "values", data: bytes = b"{}") -> RunEvent:
    return RunEvent(EventId(ms, seq), run_id, 1, name, data, resumable=True)


def ids(events: Sequence[RunEvent]) -> list[EventId]:
    return [one.id for one in events]


async def test_entries_read_back_as_they_were_written(spill: SqliteSpill, cipher: Cipher) -> None:
    written = [event(5, 0, data=b"\x00\xff"), event(5, 1, "q", "error"), event(5, 2, name=END_OF_RUN)]
    spill.write("t", written)
    assert spill.behind == sum(len(cipher.seal(one.data)) for one in written)
    await spill.flushed()

    assert spill.behind == 0
    read = await spill.read("t", START, None)
    fields = [(e.id, e.run_id, e.attempt, e.event, e.data, e.resumable) for e in written]
    assert [(e.id, e.run_id, e.attempt, e.event, e.data, e.resumable) for e in read] == fields


async def test_entries_are_stored_soon_without_being_asked_for(spill: SqliteSpill) -> None:
    spill.write("t", [event(1)])
    async with asyncio.timeout(5):
        while not await spill.read("t", START, None):
            pass
    assert spill.behind == 0


async def test_a_sweep_that_fails_takes_nothing_else_back(spill: SqliteSpill) -> None:
    spill.write("kept", [event(1), event(2, name=END_OF_RUN)])
    spill.write("gone", [event(1)])
    await spill._on_writer(
        lambda connection: connection.execute(
            "CREATE TRIGGER refusing BEFORE DELETE ON event WHEN OLD.thread_id = 'kept'"
            " BEGIN SELECT RAISE(ABORT, 'refused'); END"
        ).fetchall()
    )
    with pytest.raises(Unavailable, match="refused"):
        await spill.sweep(now_ms=100, keep_ms=1, most_bytes=1 << 30)
    await spill.forget_thread("gone")
    spill.write("later", [event(3)])
    await spill.flushed()
    assert [len(await spill.read(thread, START, None)) for thread in ("kept", "gone", "later")] == [2, 0, 1]


async def test_entries_wait_for_a_full_disk_to_have_room_again(spill: SqliteSpill, cipher: Cipher) -> None:
    await spill._on_writer(lambda connection: connection.execute("PRAGMA max_page_count = 20").fetchall())
    spill.write("t", [event(ms, data=b"x" * 1_000) for ms in range(1, 300)])
    async with asyncio.timeout(5):
        while spill._pending:
            await asyncio.to_thread(lambda: None)
    assert spill.behind == 299 * len(cipher.seal(b"x" * 1_000)) and await spill.last("t") is None
    # The writer's own connection is busy trying; the limit is a matter of that connection.
    spill._writing.execute("PRAGMA max_page_count = 1073741823").fetchall()
    await spill.flushed()
    assert spill.behind == 0 and await spill.last("t") == EventId(299, 0)


async def test_pages_follow_the_ids(spill: SqliteSpill) -> None:
    for ms in range(1, 41):
        spill.write("t", [event(ms, seq, "even" if ms % 2 == 0 else "odd") for seq in range(3)])
    spill.write("other", [event(7)])
    await spill.flushed()

    assert ids(await spill.read("t", EventId(9, 1), None, 3)) == [
        EventId(9, 2),
        EventId(10, 0),
        EventId(10, 1),
    ]
    assert ids(await spill.read("t", EventId(9, 1), "even", 2)) == [EventId(10, 0), EventId(10, 1)]
    assert await spill.last("t") == EventId(40, 2)
    assert await spill.last("nobody") is None
    assert await spill.read("t", EventId(40, 2), None) == []


async def test_an_entry_written_twice_is_kept_once(spill: SqliteSpill) -> None:
    spill.write("t", [event(1, data=b"first")])
    spill.write("t", [event(1, data=b"second"), event(2)])
    await spill.flushed()
    assert [one.data for one in await spill.read("t", START, None)] == [b"first", b"{}"]


async def test_a_forgotten_thread_is_gone_and_may_begin_anew(spill: SqliteSpill) -> None:
    spill.write("t", [event(1)])
    spill.write("other", [event(1)])
    forgetting = asyncio.create_task(spill.forget_thread("t"))
    await asyncio.sleep(0)
    spill.write("t", [event(2)])
    await forgetting
    await spill.flushed()
    assert ids(await spill.read("t", START, None)) == [EventId(2, 0)]
    assert await spill.last("other") == EventId(1, 0)


async def test_sweep_drops_runs_that_ended_long_ago(spill: SqliteSpill) -> None:
    spill.write("t", [event(10, 0, "old"), event(11, 0, "open"), event(12, 0, "old", END_OF_RUN)])
    spill.write("t", [event(13, 0, "young"), event(500, 0, "young", END_OF_RUN)])
    assert await spill.sweep(now_ms=1_000, keep_ms=600, most_bytes=1 << 30) == 2
    assert ids(await spill.read("t", START, None)) == [EventId(11, 0), EventId(13, 0), EventId(500, 0)]
    assert await spill.sweep(now_ms=1_000, keep_ms=600, most_bytes=1 << 30) == 0


async def test_what_is_written_during_a_sweep_does_not_wait_for_all_of_it(spill: SqliteSpill) -> None:
    ended = [*(event(1, seq) for seq in range(8 * SWEEP_ENTRIES)), event(2, name=END_OF_RUN)]
    spill.write("t", [*ended, event(3, run_id="next")])
    await spill.flushed()
    sweeping = asyncio.create_task(spill.sweep(now_ms=1_000, keep_ms=600, most_bytes=1 << 30))
    stored = 0
    while not sweeping.done():
        await spill.flushed()
        stored += 1
    assert stored > 6
    assert await sweeping == len(ended)
    assert ids(await spill.read("t", START, None)) == [EventId(3, 0)]


async def test_sweep_keeps_the_file_within_its_size(spill: SqliteSpill, tmp_path: Path) -> None:
    for ms in range(1, 6_001):
        spill.write("t", [event(ms, data=b"x" * 1_000)])
    await spill.flushed()
    dropped = await spill.sweep(now_ms=7_000, keep_ms=10_000, most_bytes=3 << 20)

    assert 3_000 <= dropped < 6_000
    left = await spill.read("t", START, None, 10_000)
    assert len(left) == 6_000 - dropped and left[0].id == EventId(dropped + 1, 0), "the oldest go first"
    await spill.close()
    assert (tmp_path / EVENTS_FILE).stat().st_size <= (3 << 20) + (1 << 16)


async def test_entries_outlive_a_close_and_reads_end_with_it(tmp_path: Path) -> None:
    spill = open_spill(tmp_path)
    spill.write("t", [event(ms) for ms in range(1, 3 * FLUSH_ENTRIES)])
    await spill.close()
    await spill.close()
    spill.write("t", [event(9_999)])
    for call in (spill.flushed(), spill.read("t", START, None), spill.last("t"), spill.sweep(1, 1, 1)):
        with pytest.raises(Unavailable):
            await call

    spill = open_spill(tmp_path)
    assert await spill.last("t") == EventId(3 * FLUSH_ENTRIES - 1, 0)
    await spill.close()


async def test_a_damaged_file_is_made_anew(tmp_path: Path) -> None:
    (tmp_path / EVENTS_FILE).write_bytes(b"not a database" * 1000)
    spill = open_spill(tmp_path)
    spill.write("t", [event(1)])
    await spill.flushed()
    assert await spill.last("t") == EventId(1, 0)
    await spill.close()


WRITER = """
import asyncio, sys
from pathlib import Path
from robyn_server.resources.event import EventId, RunEvent
from robyn_server.storage.event_file import SWEEP_ENTRIES
from robyn_server.storage.event_spill import open_spill

async def main():
    spill = open_spill(Path(sys.argv[1]))
    for ms in range(1, 10**9):
        spill.write("t", [RunEvent(EventId(ms, 0), "r", 1, "values", b"x" * 300, resumable=True)])
        if ms % 10 == 0:
            await spill.flushed()
            print(ms, flush=True)

asyncio.run(main())
"""


async def test_stored_entries_survive_a_killed_writer(tmp_path: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", WRITER, str(tmp_path), stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout
    async with asyncio.timeout(20):
        for _ in range(100):
            stored = int(await process.stdout.readline())
    process.kill()
    await process.wait()

    spill = open_spill(tmp_path)
    read = await spill.read("t", START, None, 100_000)
    assert len(read) >= stored and ids(read) == [EventId(ms, 0) for ms in range(1, len(read) + 1)]
    await spill.close()
