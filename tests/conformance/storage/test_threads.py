"""Threads, on a real database."""

import asyncio
from datetime import timedelta

import orjson
import pytest

from robyn_server.resources.clock import now
from robyn_server.resources.metadata_filter import EVERYTHING, parse_filter
from robyn_server.resources.thread import NewThread, StateOutcome, ThreadSearch, ThreadTtl
from robyn_server.storage.interfaces import Storage, ThreadRows
from robyn_server.storage.threads import RUNS_AT_ONCE
from tests.conformance.storage.queue_scenes import Queue

THEIRS = parse_filter({"owner": "them"})


@pytest.fixture
def table(storage: Storage) -> ThreadRows:
    return storage.threads


def outcome(values: object = None, *, has_next: bool = False, interrupts: object = None) -> StateOutcome:
    raw = None if values is None else orjson.dumps(values)
    return StateOutcome(raw, interrupts or {}, has_next)  # type: ignore[arg-type]


async def found(table: ThreadRows, query: ThreadSearch) -> list[str]:
    page = await table.search(query)
    assert await table.count(query) == len(page.items) + query.offset or page.more
    return [thread.thread_id for thread in page.items]


async def test_a_fresh_thread(table: ThreadRows) -> None:
    made = await table.create(NewThread("t1", {"a": {"b": [1]}}))
    assert made is not None
    assert (made.status, made.values, made.config, made.interrupts, made.error) == (
        "idle",
        None,
        {},
        {},
        None,
    )
    assert made.created_at == made.updated_at == made.state_updated_at
    assert (made.settled, made.copied, made.ttl, made.expires_at) == (False, False, None, None)
    assert await table.get("t1") == made
    assert await table.create(NewThread("t1", {"other": 1})) is None
    assert await table.get("t1") == made


async def test_of_many_equal_creates_one_wins(table: ThreadRows) -> None:
    made = await asyncio.gather(*(table.create(NewThread("t1", {"n": n})) for n in range(20)))
    assert len([thread for thread in made if thread]) == 1


async def test_patch_merges_one_level(table: ThreadRows) -> None:
    made = await table.create(NewThread("t1", {"a": 1, "deep": {"x": 1}, "owner": "me"}))
    patched = await table.patch("t1", {"deep": {"y": 2}, "none": None})
    assert made is not None and patched is not None
    assert patched.metadata == {"a": 1, "deep": {"y": 2}, "owner": "me", "none": None}
    assert patched.updated_at > made.updated_at
    assert patched.state_updated_at == made.state_updated_at
    assert await found(table, ThreadSearch(metadata={"deep": {"x": 1}})) == []
    assert await found(table, ThreadSearch(metadata={"deep": {"y": 2}})) == ["t1"]
    assert await table.patch("t1", {"a": 2}, THEIRS) is None
    assert await table.patch("missing", {}) is None
    assert await table.get("t1", THEIRS) is None


async def test_state_settles_a_thread_and_decides_its_status(table: ThreadRows) -> None:
    made = await table.create(NewThread("t1", copied=True))
    interrupts = {"task": [{"id": "i", "value": "?"}]}
    await table.set_state("t1", outcome({"n": 1}, has_next=True, interrupts=interrupts))
    thread = await table.get("t1")
    assert made is not None and thread is not None
    assert made.state_updated_at is not None and thread.state_updated_at is not None
    assert thread.values == b'{"n":1}'
    assert (thread.status, thread.interrupts, thread.settled, thread.copied) == (
        "interrupted", interrupts, True, False,
    )  # fmt: skip
    assert thread.state_updated_at > made.state_updated_at

    await table.set_state("t1", outcome())
    thread = await table.get("t1")
    assert thread is not None
    assert (thread.status, thread.values, thread.interrupts) == ("idle", b'{"n":1}', {})


async def test_delete(table: ThreadRows) -> None:
    await table.create(NewThread("t1", {"k": 1}))
    assert await table.delete("t1")
    assert not await table.delete("t1")
    assert await found(table, ThreadSearch(metadata={"k": 1})) == []


async def test_ttl(table: ThreadRows) -> None:
    made = await table.create(NewThread("t1", ttl=ThreadTtl(timedelta(minutes=5), "keep_latest")))
    await table.create(NewThread("t2"))
    assert made is not None
    assert made.ttl == ThreadTtl(timedelta(minutes=5), "keep_latest")
    assert made.expires_at is not None
    assert abs(made.expires_at - made.created_at - timedelta(minutes=5)) < timedelta(milliseconds=1)
    assert await table.expired(now(), 10) == []
    expired = await table.expired(now() + timedelta(minutes=6), 10)
    assert [thread.thread_id for thread in expired] == ["t1"]

    await table.rest("t1")
    assert await table.expired(now() + timedelta(days=9), 10) == []
    await table.set_state("t1", outcome({}))
    assert len(await table.expired(now() + timedelta(minutes=6), 10)) == 1

    await table.set_ttl("t1", ThreadTtl(timedelta(hours=1)))
    assert await table.expired(now() + timedelta(minutes=6), 10) == []
    (expired,) = await table.expired(now() + timedelta(minutes=61), 10)
    assert expired.ttl == ThreadTtl(timedelta(hours=1))


async def test_a_thread_with_many_runs_is_deleted_in_portions(storage: Storage) -> None:
    """SQLite has one writer, and nobody else shall wait for all of them."""
    queue = Queue(storage)
    for _ in range(4 * RUNS_AT_ONCE):
        await queue.add("t1")
        await queue.finish(await queue.claim_one())
    await queue.add("t1")
    deleting = asyncio.create_task(storage.threads.delete("t1"))
    between = 0
    while not deleting.done():
        await storage.threads.rest("another")
        between += 1
    assert await deleting
    assert between > 3 or storage.shared
    assert await queue.rows.matching(None, "t1", None, EVERYTHING) == []
    assert await storage.threads.get("t1") is None


async def test_a_thread_to_be_deleted_stays_so_whatever_ends_on_it(table: ThreadRows) -> None:
    await table.create(NewThread("t1", ttl=ThreadTtl(timedelta(minutes=5), "keep_latest")))
    await table.expire("t1")
    await table.set_state("t1", outcome({}))
    (expired,) = await table.expired(now(), 10)
    assert expired.ttl is None


async def test_filters_are_anded(table: ThreadRows) -> None:
    for number in range(4):
        await table.create(NewThread(f"t{number}", {"n": number, "all": True}))
        await table.set_state(f"t{number}", outcome({"n": number, "deep": {"a": 1, "b": [1, 2]}}))
    await table.set_state("t3", outcome(has_next=True))
    await table.create(NewThread("t4", {"all": True}))

    assert await found(table, ThreadSearch(status="interrupted")) == ["t3"]
    assert await found(table, ThreadSearch(status="idle", metadata={"all": True})) == ["t4", "t2", "t1", "t0"]
    assert await found(table, ThreadSearch(ids=("t1", "t0", "nope"))) == ["t1", "t0"]
    assert await found(table, ThreadSearch(ids=("t1", "t0"), metadata={"n": 0})) == ["t0"]
    assert await found(table, ThreadSearch(values={"deep": {"a": 1}})) == ["t3", "t2", "t1", "t0"]
    assert await found(table, ThreadSearch(values={"deep": {"b": [1]}})) == []
    assert await found(table, ThreadSearch(values={"n": 2})) == ["t2"]
    assert await found(table, ThreadSearch(values={"n": 2}, metadata={"n": 1})) == []


async def test_values_are_left_unread_unless_wanted(table: ThreadRows) -> None:
    await table.create(NewThread("t1"))
    await table.set_state("t1", outcome({"n": 1}))
    assert [t.values for t in (await table.search(ThreadSearch())).items] == [b'{"n":1}']
    assert [t.values for t in (await table.search(ThreadSearch(with_values=False))).items] == [None]


async def test_orders(table: ThreadRows) -> None:
    for number in range(3):
        await table.create(NewThread(f"t{number}"))
    await table.patch("t0", {"touched": True})
    await table.set_state("t1", outcome(has_next=True))

    async def order(sort_by: str, *, descending: bool = True) -> list[str]:
        return await found(table, ThreadSearch(sort_by=sort_by, descending=descending))

    assert await order("updated_at") == ["t1", "t0", "t2"]
    assert await order("created_at") == ["t2", "t1", "t0"]
    assert await order("thread_id", descending=False) == ["t0", "t1", "t2"]
    assert await order("state_updated_at") == ["t1", "t2", "t0"]
    assert await order("status") == ["t1", "t0", "t2"]
    # Equals stand in the order they came, whichever the direction.
    assert await order("status", descending=False) == ["t0", "t2", "t1"]


async def test_a_thread_that_is_leaving_is_hidden(storage: Storage) -> None:
    soon = ThreadTtl(timedelta(seconds=-1), "delete")
    await storage.threads.create(NewThread("t1", {"a": 1}))
    await storage.threads.create(NewThread("t2", {"a": 1}, soon))
    await storage.threads.expire("t1")
    assert await storage.threads.get("t1") is None
    assert await storage.threads.patch("t1", {"b": 2}) is None
    there = await storage.threads.get("t1", leaving=True)
    assert there is not None and there.metadata == {"a": 1}
    either = parse_filter({"$or": [{"a": 1}, {"b": 1}]})
    for query in (
        ThreadSearch(),
        ThreadSearch({"a": 1}),
        ThreadSearch(status="idle"),
        ThreadSearch(ids=("t1", "t2")),
        ThreadSearch(visible=either),
    ):
        # One whose time is over is shown until it is swept.
        assert [thread.thread_id for thread in (await storage.threads.search(query)).items] == ["t2"]
        assert await storage.threads.count(query) == 1
    assert {one.thread_id for one in await storage.threads.expired(now() + timedelta(minutes=1), 9)} == {
        "t1",
        "t2",
    }
