"""Crons and their firing, over real storage."""

from dataclasses import replace
from datetime import timedelta

import orjson
import pytest

from robyn_server.errors import InvalidRequest, NotFound, Unprocessable
from robyn_server.resources.clock import now
from robyn_server.resources.cron import CronSearch
from robyn_server.resources.ids import random_id, system_assistant_id
from robyn_server.resources.run import RunSearch
from robyn_server.worker.duties.cron_scheduler import CronScheduler

YEARLY = "0 0 1 1 *"


async def test_payload_is_the_whole_body(engine):
    body = {
        "assistant_id": "steps",
        "schedule": YEARLY,
        "metadata": {"a": 1, "thread_id": "x"},
        "config": {"tags": ["t"]},
        "unknown": 1,
    }
    made = await engine.crons.create(body)
    assert made.payload == {
        "assistant_id": system_assistant_id("steps"),
        "schedule": YEARLY,
        "metadata": {"a": 1},
        "config": {"tags": ["t"], "configurable": {"cron_id": made.cron_id}},
        "unknown": 1,
    }
    assert (made.metadata, made.on_run_completed, made.enabled) == ({"a": 1}, "delete", True)
    assert await engine.crons.get(made.cron_id) == made


async def test_refusals(engine):
    with pytest.raises(NotFound, match="^Assistant 'nope' not found$"):
        await engine.crons.create({"assistant_id": "nope", "schedule": "nope"})
    with pytest.raises(Unprocessable, match="^Invalid cron schedule: 'nope'. Reason: "):
        await engine.crons.create({"assistant_id": "steps", "schedule": "nope"})
    with pytest.raises(NotFound, match="Please verify the ID is correct"):
        await engine.crons.create({"assistant_id": "steps", "schedule": YEARLY}, thread_id=random_id())
    with pytest.raises(NotFound, match="^Cron '.*' not found$"):
        await engine.crons.update(random_id(), {"input": {}})
    with pytest.raises(InvalidRequest, match="^Request body cannot be empty$"):
        await engine.crons.update(random_id(), {})


async def test_update_lays_the_body_over_the_payload(engine):
    made = await engine.crons.create(
        {
            "assistant_id": "steps",
            "schedule": YEARLY,
            "metadata": {"a": 1},
            "end_time": "2099-01-01T00:00:00Z",
        }
    )
    changed = await engine.crons.update(
        made.cron_id,
        {"metadata": {"b": 2}, "schedule": "0 12 * * *", "end_time": None, "assistant_id": "chat"},
    )
    assert changed.metadata == {"a": 1, "b": 2}
    assert changed.payload["metadata"] == {"b": 2}
    assert changed.payload["assistant_id"] == system_assistant_id("steps")
    assert (changed.end_time, changed.ends_at) == (None, None)
    assert changed.next_run_at is not None and changed.next_run_at - now() < timedelta(days=1)


async def test_secrets_are_sealed_and_not_in_the_payload(engine, parts):
    made = await engine.crons.create(
        {"assistant_id": "steps", "schedule": YEARLY, "config": {"configurable": {"apiKeys": {"X": "sk"}}}}
    )
    assert "apiKeys" not in str(made.payload)
    await engine.crons.update(made.cron_id, {"metadata": {"supabaseAccessToken": "jwt"}})
    await engine.crons.update(made.cron_id, {"config": {"configurable": {"custom_api_key": "c"}}})
    kept = (await engine.crons.get(made.cron_id)).secrets
    assert kept is not None
    opened = orjson.loads(parts.sealer.open(kept))
    assert opened == {
        "configurable": {"apiKeys": {"X": "sk"}, "custom_api_key": "c"},
        "metadata": {"supabaseAccessToken": "jwt"},
    }


async def test_search_and_count(engine):
    thread = await engine.threads.create()
    body = {"assistant_id": "steps", "schedule": YEARLY}
    await engine.crons.create({**body, "enabled": False})
    await engine.crons.create(body, thread_id=thread.thread_id)
    page = await engine.crons.search(CronSearch(thread_id=thread.thread_id))
    assert [cron.on_run_completed for cron in page.items] == [None]
    assert await engine.crons.count(CronSearch(enabled=False)) == 1
    assert await engine.crons.count(CronSearch(assistant_id=random_id())) == 0


async def test_a_due_cron_fires_once(engine, parts):
    thread = await engine.threads.create()
    made = await engine.crons.create(
        {"assistant_id": "steps", "schedule": "* * * * *", "input": {"log": []}}, thread_id=thread.thread_id
    )
    scheduler = CronScheduler(engine, timedelta(seconds=5))
    assert await scheduler.run_once(now() - timedelta(hours=1)) == 0
    later = now() + timedelta(minutes=10)
    assert await scheduler.run_once(later) == 1
    assert await scheduler.run_once(later) == 0
    [run] = await parts.storage.runs.search(RunSearch(thread.thread_id))
    assert (run.cron_id, run.kwargs["input"]) == (made.cron_id, {"log": []})
    after = await engine.crons.get(made.cron_id)
    assert after.next_run_at is not None and after.next_run_at > later


async def test_a_crash_between_run_and_schedule_makes_no_second_run(engine, parts):
    thread = await engine.threads.create()
    made = await engine.crons.create(
        {"assistant_id": "steps", "schedule": "* * * * *"}, thread_id=thread.thread_id
    )
    scheduler = CronScheduler(engine, timedelta(seconds=5))
    later = now() + timedelta(minutes=10)
    await scheduler.run_once(later)
    # As the row was when the run had been made and the schedule had not moved on.
    await parts.storage.crons.change(made.cron_id, lambda _: made)
    assert await scheduler.run_once(later) == 0
    assert len(await parts.storage.runs.search(RunSearch(thread.thread_id))) == 1


async def test_a_cron_that_cannot_fire_does_not_stop_the_others(engine, parts):
    broken = await engine.crons.create({"assistant_id": "steps", "schedule": "* * * * *"})
    payload = {**broken.payload, "assistant_id": random_id()}
    await parts.storage.crons.change(broken.cron_id, lambda cron: replace(cron, payload=payload))
    await engine.crons.create({"assistant_id": "steps", "schedule": "* * * * *"})
    later = now() + timedelta(minutes=10)
    assert await CronScheduler(engine, timedelta(seconds=5)).run_once(later) == 1


async def test_foreign_crons_look_missing(acting_for):
    ann, bob = acting_for("ann"), acting_for("bob")
    made = await ann.crons.create({"assistant_id": "steps", "schedule": YEARLY})
    assert made.user_id == "ann"
    for refused in (
        bob.crons.get(made.cron_id),
        bob.crons.delete(made.cron_id),
        bob.crons.update(made.cron_id, {"enabled": False}),
    ):
        with pytest.raises(NotFound):
            await refused
    assert await bob.crons.count(CronSearch()) == 0


async def test_the_run_of_a_cron_has_its_secrets_and_its_owner(acting_for, parts):
    ann, bob = acting_for("ann"), acting_for("bob")
    thread = await ann.threads.create()
    body = {
        "assistant_id": "steps",
        "schedule": "* * * * *",
        "config": {"configurable": {"apiKeys": {"K": "k"}}},
    }
    await ann.crons.create(body, thread_id=thread.thread_id)
    await CronScheduler(ann).run_once(now() + timedelta(minutes=10))
    [run] = await parts.storage.runs.search(RunSearch(thread.thread_id))
    assert orjson.loads(parts.sealer.open(run.secrets)) == {"configurable": {"apiKeys": {"K": "k"}}}
    assert "apiKeys" not in run.kwargs["config"]["configurable"]
    assert run.metadata["owner"] == "ann"
    with pytest.raises(NotFound):
        await bob.runs.get(thread.thread_id, run.run_id)
