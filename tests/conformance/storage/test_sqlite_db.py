"""What only SQLite has: group commit, full disks, a killed writer, the claim's plan."""

import asyncio
import sqlite3
import sys
import threading
import time
from collections.abc import AsyncIterator
from contextvars import ContextVar
from functools import partial
from pathlib import Path
from typing import TypeVar

import pytest

from robyn_server.errors import Conflict, Unavailable
from robyn_server.resources.clock import now
from robyn_server.resources.ids import new_id
from robyn_server.resources.metadata_filter import EVERYTHING
from robyn_server.resources.run import Ending, Queued
from robyn_server.resources.thread import NewThread, StateOutcome, ThreadSearch
from robyn_server.settings import Settings
from robyn_server.storage.backup import back_up
from robyn_server.storage.db import Row, Start, Transition
from robyn_server.storage.dialect import SqliteDialect
from robyn_server.storage.migrations import APP_FILE, migrate
from robyn_server.storage.run_create import create_run
from robyn_server.storage.run_endings import cancel_run, finish_rollback_of, finish_run, recover_run
from robyn_server.storage.run_queue import (
    SqlRunQueue,
    claim_runs,
    expired_runs,
    heartbeat_of,
    next_due_moment,
)
from robyn_server.storage.sqlite import open_storage
from robyn_server.storage.sqlite_connection import connect
from robyn_server.storage.sqlite_db import SqliteDb
from robyn_server.storage.threads import ThreadTable
from tests.conformance.storage.queue_scenes import HERE, LEASE, new_run

T = TypeVar("T")


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[SqliteDb]:
    migrate(tmp_path)
    opened = SqliteDb(tmp_path / APP_FILE)
    await opened.write(lambda: _do("CREATE TABLE note (text TEXT UNIQUE)"))
    yield opened
    await opened.close()


def _do(*statements: str) -> Transition[None]:
    for statement in statements:
        yield statement, ()


def _add(text: str) -> Transition[None]:
    yield "INSERT INTO note VALUES (?)", (text,)


def _count() -> Transition[int]:
    rows = yield "SELECT count(*) FROM note", ()
    count: int = rows[0][0]
    return count


def _add_and_fail(text: str) -> Transition[None]:
    yield from _add(text)
    raise Conflict("no")


async def test_one_failing_transition_does_not_hurt_the_others(db: SqliteDb) -> None:
    starts = [partial(_add_and_fail if n % 5 == 0 else _add, f"{n % 90}") for n in range(100)]
    answers = await asyncio.gather(*(db.write(start) for start in starts), return_exceptions=True)
    kinds = [type(answer) for answer in answers]
    assert kinds.count(Conflict) == 20
    assert kinds.count(sqlite3.IntegrityError) == 8, "90 to 99 without the fives"
    assert await db.read(_count) == 72


async def test_reads_see_what_was_written_before_them(db: SqliteDb) -> None:
    for n in range(20):
        await db.write(partial(_add, f"{n}"))
        assert await db.read(_count) == n + 1


async def test_reads_cannot_write(db: SqliteDb) -> None:
    with pytest.raises(Unavailable):
        await db.read(lambda: _add("x"))
    assert await db.read(_count) == 0


async def test_a_glance_that_turns_out_long_is_left_to_a_reader_thread(db: SqliteDb) -> None:
    threads: list[str] = []

    def count_to(most: int) -> Transition[int]:
        threads.append(threading.current_thread().name)
        rows = yield (
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?) SELECT count(*) FROM n",
            (most,),
        )
        return int(rows[0][0])

    here = threading.current_thread().name
    assert await db.glance(lambda: count_to(100_000)) == 100_000
    assert [name.split("_")[0] for name in threads] == [here, "sqlite-reader"]
    threads.clear()
    # What a statement has done at other times does not count.
    for _ in range(1_000):
        assert await db.glance(lambda: count_to(100)) == 100
    assert set(threads) == {here}


class _CountedDb(SqliteDb):
    """Counts how often a reader thread is asked."""

    reads = 0

    async def read(self, start: Start[T]) -> T:
        self.reads += 1
        return await super().read(start)


@pytest.mark.parametrize(("size", "reads"), [(1_000, 0), (100_000, 1)])
async def test_large_pages_are_left_to_a_reader_thread(tmp_path: Path, size: int, reads: int) -> None:
    migrate(tmp_path)
    db = _CountedDb(tmp_path / APP_FILE)
    table = ThreadTable(db)
    for _ in range(3):
        thread_id = new_id()
        await table.create(NewThread(thread_id))
        await table.set_state(thread_id, StateOutcome(b'"%s"' % (b"x" * size), {}, has_next=False))
    # The first page says what the next will weigh.
    pages = [await table.search(ThreadSearch()) for _ in range(2)]
    assert pages[0] == pages[1]
    assert len(pages[0].items) == 3
    assert db.reads == reads
    await table.search(ThreadSearch(limit=1000))
    assert db.reads == reads + 1
    await db.close()


async def test_several_event_loops_may_write(db: SqliteDb) -> None:
    async def add_some() -> None:
        await asyncio.gather(*(db.write(partial(_add, new_id())) for _ in range(50)))

    other = threading.Thread(target=lambda: asyncio.run(add_some()))
    other.start()
    await add_some()
    await asyncio.to_thread(other.join)
    assert await db.read(_count) == 100


async def test_closing_waits_for_writes_and_refuses_later_ones(tmp_path: Path) -> None:
    db = SqliteDb(tmp_path / "x.db")
    await db.write(lambda: _do("CREATE TABLE note (text TEXT)"))
    writes = [asyncio.create_task(db.write(lambda: _add("x"))) for _ in range(500)]
    await asyncio.sleep(0)
    await db.close()
    await asyncio.gather(*writes)
    for call in (db.write(lambda: _add("x")), db.read(_count)):
        with pytest.raises(Unavailable):
            await call
    await db.close()
    with sqlite3.connect(tmp_path / "x.db") as connection:
        assert connection.execute("SELECT count(*) FROM note").fetchone() == (500,)
    connection.close()


async def test_a_full_disk_loses_nothing_and_is_got_over(db: SqliteDb) -> None:
    queue = SqlRunQueue(db, 100)
    kept = [await queue.create(new_run(new_id()), HERE) for _ in range(3)]
    await db.write(lambda: _do("PRAGMA max_page_count = 60"))
    big = {"input": "x" * 200_000}
    thread_id = new_id()
    with pytest.raises(Unavailable, match="disk is full"):
        await queue.create(new_run(thread_id, kwargs=big), HERE)

    creates = [queue.create(new_run(new_id(), kwargs=big if n % 3 == 0 else {}), HERE) for n in range(12)]
    answers = await asyncio.gather(*creates, return_exceptions=True)
    fitted = [answer for answer in answers if isinstance(answer, Queued)]
    refused = [answer for answer in answers if isinstance(answer, Unavailable)]
    assert len(refused) >= 4 and len(fitted) + len(refused) == 12

    await db.write(lambda: _do("PRAGMA max_page_count = 1073741823"))
    assert isinstance(await queue.create(new_run(thread_id, kwargs=big), HERE), Queued)
    claimed = await queue.claim("w", LEASE, {"default": 100})
    assert len(claimed) == len(kept) + len(fitted) + 1
    for run in claimed:
        assert await queue.finish(run, Ending("success"))


async def test_a_database_held_by_another_process_is_told_so(tmp_path: Path) -> None:
    migrate(tmp_path)
    db = SqliteDb(tmp_path / APP_FILE)
    await db.write(lambda: _do("PRAGMA busy_timeout = 50"))
    other = connect(tmp_path / APP_FILE)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(Unavailable, match="another process"):
        await SqlRunQueue(db, 1).create(new_run(new_id()), HERE)
    other.close()
    await SqlRunQueue(db, 1).create(new_run(new_id()), HERE)
    await db.close()


WRITER = """
import asyncio, sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from tests.conformance.storage.queue_scenes import HERE, new_run
from robyn_server.resources.ids import new_id
from robyn_server.storage.migrations import APP_FILE, migrate
from robyn_server.storage.run_queue import SqlRunQueue
from robyn_server.storage.sqlite_db import SqliteDb

async def create_for_ever(queue):
    while True:
        run = (await queue.create(new_run(new_id()), HERE)).run
        print(run.run_id, flush=True)

async def main():
    data_dir = Path(sys.argv[1])
    migrate(data_dir)
    queue = SqlRunQueue(SqliteDb(data_dir / APP_FILE), 10)
    await asyncio.gather(*(create_for_ever(queue) for _ in range(8)))

asyncio.run(main())
"""


async def test_a_killed_writer_loses_nothing_that_it_acknowledged(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    data_dir.mkdir()
    acknowledged: list[str] = []
    for _ in range(2):
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            WRITER,
            str(data_dir),
            str(Path(__file__).parents[3]),
            stdout=asyncio.subprocess.PIPE,
        )
        assert process.stdout
        async with asyncio.timeout(20):
            for _ in range(300):
                acknowledged.append((await process.stdout.readline()).decode().strip())
        process.kill()
        rest = (await process.stdout.read()).decode()
        acknowledged += [line for line in rest.split("\n")[:-1] if line]
        await process.wait()

    with sqlite3.connect(data_dir / APP_FILE) as connection:
        stored = {row[0] for row in connection.execute("SELECT run_id FROM run")}
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()
    assert len(acknowledged) >= 600 and set(acknowledged) <= stored


async def test_a_backup_can_be_served(tmp_path: Path) -> None:
    storage = await open_storage(Settings(data_dir=tmp_path))
    run = (await storage.queue.create(new_run(new_id()), HERE)).run
    await storage.store.aput(("a",), "k", {"v": 1})
    creates = [asyncio.create_task(storage.queue.create(new_run(new_id()), HERE)) for _ in range(300)]
    await storage.backup(str(tmp_path / "copy"))
    await storage.backup(str(tmp_path / "copy"))
    await asyncio.gather(*creates)
    with pytest.raises(Unavailable, match="data directory itself"):
        await storage.backup(str(tmp_path))
    await storage.close()

    copy = await open_storage(Settings(data_dir=tmp_path / "copy"))
    assert await copy.runs.get(run.run_id) == run
    item = await copy.store.aget(("a",), "k")
    assert item and item.value == {"v": 1}
    await copy.ready()
    await copy.close()
    with pytest.raises(Unavailable):
        await copy.ready()
    await asyncio.to_thread(back_up, tmp_path / "copy", tmp_path / "copy2")


async def test_no_statement_of_the_queue_reads_more_than_it_needs(db: SqliteDb, tmp_path: Path) -> None:
    """A long history of ended runs, or many waiting ones, must not slow down what happens all the time."""
    dialect = SqliteDialect()
    connection = connect(tmp_path / APP_FILE)
    plans: dict[str, list[str]] = {}

    def explained(transition: Transition[T]) -> T:
        rows: list[Row] | None = None
        try:
            while True:
                sql, parameters = next(transition) if rows is None else transition.send(rows)
                plans[sql] = [row[3] for row in connection.execute("EXPLAIN QUERY PLAN " + sql, parameters)]
                rows = connection.execute(sql, parameters).fetchall()
        except StopIteration as stop:
            result: T = stop.value
            return result

    thread_id = new_id()
    for strategy in ("enqueue", "enqueue", "interrupt", "rollback", "enqueue"):
        new = new_run(thread_id, multitask_strategy=strategy)
        explained(create_run(dialect, new, HERE, EVERYTHING, 10))
    ((run,), _) = explained(claim_runs(dialect, "w", LEASE, {"default": 5}))
    explained(heartbeat_of(dialect, "w", LEASE, [run.run_id]))
    explained(cancel_run(dialect, run, "interrupt", "test"))
    explained(recover_run(dialect, run, now(), 1))
    explained(finish_run(dialect, run, Ending("success")))
    explained(finish_rollback_of(dialect, run, Ending(None)))
    explained(expired_runs(dialect, now(), 10))
    explained(next_due_moment(dialect))
    connection.close()

    assert len(plans) > 15
    for sql, steps in plans.items():
        # An insert lists the checks of foreign keys, which it skips.
        for step in [] if sql.startswith("INSERT") else steps:
            short = step.endswith("INDEX run_due_at") or step.startswith("SCAN json_each")
            assert short or not step.startswith("SCAN"), (sql, steps)
            assert "TEMP B-TREE" not in step, (sql, steps)
            assert "run_thread " not in step, (sql, steps)


async def test_a_claim_is_quick_among_many_pending_runs(db: SqliteDb) -> None:
    queue = SqlRunQueue(db, 100_000)
    waiting = [new_run(new_id()) for _ in range(10_000)]
    waiting += [new_run(new_id(), after_seconds=1_000) for _ in range(9_000)]
    waiting += [new_run(waiting[0].thread_id) for _ in range(1_000)]
    await asyncio.gather(*(queue.create(run, HERE) for run in waiting))

    took = []
    for _ in range(9):
        started = time.perf_counter()
        assert len(await queue.claim("w", LEASE, {"default": 5})) == 5
        took.append(time.perf_counter() - started)
    assert sorted(took)[4] < 0.05
    due = await queue.next_due()
    assert due and due < now()


async def test_a_transition_runs_in_the_context_of_whoever_asks_for_it(db: SqliteDb) -> None:
    whose: ContextVar[int] = ContextVar("whose")

    def transition() -> Transition[int]:
        yield "SELECT 1", ()
        return whose.get()

    async def ask(number: int) -> int:
        whose.set(number)
        return await db.write(transition)

    assert await asyncio.gather(*map(ask, range(50))) == list(range(50))
