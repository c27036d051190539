"""Crons, on a real database."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from robyn_server.resources.assistant import NewAssistant
from robyn_server.resources.cron import Cron, CronSearch
from robyn_server.resources.metadata_filter import parse_filter
from robyn_server.resources.thread import NewThread
from robyn_server.storage.interfaces import Storage

NOON = datetime(2027, 1, 1, 12, tzinfo=UTC)
THEIRS = parse_filter({"owner": "them"})


@pytest.fixture
async def tables(storage: Storage) -> Storage:
    await storage.assistants.create(NewAssistant("a1", "agent", "Ada"))
    await storage.threads.create(NewThread("t1"))
    return storage


def cron(cron_id: str = "c1", **fields: object) -> Cron:
    plain = Cron(
        cron_id=cron_id,
        assistant_id="a1",
        thread_id=None,
        user_id="ada",
        schedule="* * * * *",
        timezone="Europe/Berlin",
        end_time="2027-01-02T00:00:00Z",
        ends_at=NOON + timedelta(hours=12),
        payload={"input": {"n": 1}},
        metadata={"owner": "me"},
        on_run_completed="delete",
        enabled=True,
        next_run_at=NOON,
        created_at=NOON - timedelta(days=1),
        updated_at=NOON - timedelta(days=1),
        caller={"identity": "ada"},
        secrets=b"\x00\xff",
    )
    return replace(plain, **fields)  # type: ignore[arg-type]


async def test_every_field_is_kept(tables: Storage) -> None:
    made = await tables.crons.create(cron())
    assert made == cron()
    assert await tables.crons.get("c1") == made
    assert await tables.crons.get("c1", THEIRS) is None
    bare = cron("c2", timezone=None, end_time=None, ends_at=None, on_run_completed=None, next_run_at=None,
                secrets=None, thread_id="t1", enabled=False)  # fmt: skip
    await tables.crons.create(bare)
    assert await tables.crons.get("c2") == bare


async def test_change_and_delete(tables: Storage) -> None:
    await tables.crons.create(cron())
    changed = cron(schedule="0 0 * * *", metadata={"owner": "me", "new": 1}, enabled=False)
    assert await tables.crons.change("c1", lambda _: changed) == changed
    assert await tables.crons.get("c1") == changed
    assert (await tables.crons.search(CronSearch(metadata={"new": 1}))).items == (changed,)
    assert await tables.crons.change("missing", lambda _: changed) is None
    assert await tables.crons.change("c1", lambda _: cron(), THEIRS) is None
    assert not await tables.crons.delete("c1", THEIRS)
    assert await tables.crons.delete("c1")
    assert not await tables.crons.delete("c1")


async def test_changes_at_once_lose_nothing(tables: Storage) -> None:
    await tables.crons.create(cron(metadata={}))

    def add(number: int) -> Callable[[Cron], Cron]:
        return lambda found: replace(found, metadata={**found.metadata, str(number): number})

    await asyncio.gather(*(tables.crons.change("c1", add(number)) for number in range(20)))
    stored = await tables.crons.get("c1")
    assert stored is not None and len(stored.metadata) == 20


async def test_a_cron_of_something_that_is_gone_is_not_made(tables: Storage) -> None:
    assert await tables.crons.create(cron(assistant_id="gone")) is None
    assert await tables.crons.create(cron(thread_id="gone")) is None


async def test_due_ones_are_enabled_begun_and_not_over(tables: Storage) -> None:
    await tables.crons.create(cron("late", next_run_at=NOON - timedelta(hours=1)))
    await tables.crons.create(cron("now"))
    await tables.crons.create(cron("soon", next_run_at=NOON + timedelta(seconds=1)))
    await tables.crons.create(cron("off", enabled=False))
    await tables.crons.create(cron("over", ends_at=NOON))
    await tables.crons.create(cron("never", next_run_at=None))
    assert [found.cron_id for found in await tables.crons.due(NOON)] == ["late", "now"]
    assert [found.cron_id for found in await tables.crons.due(NOON, limit=1)] == ["late"]


async def test_a_cron_fires_once(tables: Storage) -> None:
    await tables.crons.create(cron())
    (due,) = await tables.crons.due(NOON)
    later = NOON + timedelta(minutes=1)
    fired = await asyncio.gather(*(tables.crons.fire(due, later) for _ in range(5)))
    assert sorted(fired) == [False] * 4 + [True]
    stored = await tables.crons.get("c1")
    assert stored is not None and stored.next_run_at == later
    await tables.crons.change("c1", lambda cron: replace(cron, enabled=False))
    assert not await tables.crons.fire(stored, None)


async def test_crons_go_with_their_assistant_and_thread(tables: Storage) -> None:
    await tables.crons.create(cron("c1", thread_id="t1"))
    await tables.threads.delete("t1")
    assert await tables.crons.get("c1") is None
    await tables.crons.create(cron("c2"))
    await tables.assistants.delete("a1")
    assert await tables.crons.get("c2") is None
    assert await tables.crons.count(CronSearch(metadata={"owner": "me"})) == 0
    # Nor is anything left in the index of their metadata.
    await tables.assistants.create(NewAssistant("a1", "agent", "Ada"))
    await tables.crons.create(cron("c2", metadata={}))
    assert await tables.crons.count(CronSearch(metadata={"owner": "me"})) == 0


async def test_search(tables: Storage) -> None:
    await tables.assistants.create(NewAssistant("a2", "agent", "Bob"))
    await tables.crons.create(cron("c1", thread_id="t1"))
    await tables.crons.create(cron("c2", assistant_id="a2", created_at=NOON, metadata={"owner": "them"}))
    await tables.crons.create(cron("c3", enabled=False, next_run_at=None, end_time=None))

    async def found(**fields: object) -> list[str]:
        query = replace(CronSearch(), **fields)  # type: ignore[arg-type]
        items = (await tables.crons.search(query)).items
        assert await tables.crons.count(query) == len(items)
        return [item.cron_id for item in items]

    assert await found() == ["c2", "c3", "c1"]
    assert await found(assistant_id="a1") == ["c3", "c1"]
    assert await found(thread_id="t1") == ["c1"]
    assert await found(enabled=False) == ["c3"]
    assert await found(enabled=True) == ["c2", "c1"]
    assert await found(metadata={"owner": "me"}) == ["c3", "c1"]
    assert await found(visible=THEIRS) == ["c2"]
    orders = ("cron_id", "assistant_id", "thread_id", "next_run_at", "end_time", "created_at", "updated_at")
    for sort_by in orders:
        assert sorted(await found(sort_by=sort_by)) == ["c1", "c2", "c3"]
    assert await found(sort_by="assistant_id", descending=False) == ["c1", "c3", "c2"]
