"""A second run on a busy thread: every strategy, and all of them at random."""

import asyncio
import random
import time
from collections import Counter
from pathlib import Path
from typing import Any, Literal

import httpx
import pytest
from langgraph_sdk.client import LangGraphClient
from langgraph_sdk.errors import ConflictError, NotFoundError

from tests.crash.journal import notes
from tests.http.test_runs import SLOW, STEPS, thread_of, until_status
from tests.waiting import eventually

STRATEGIES: tuple[Literal["reject", "enqueue", "interrupt", "rollback"], ...] = (
    "reject", "enqueue", "interrupt", "rollback",
)  # fmt: skip
SECONDS = 6.0
ENDED = ("success", "error", "timeout", "interrupted")


async def busy(client: LangGraphClient, given: dict[str, Any]) -> tuple[str, str]:
    """A thread, and a run that is under way on it."""
    thread_id = await thread_of(client)
    await client.runs.wait(thread_id, "steps", input={"log": []})
    run = await client.runs.create(thread_id, "slow", input=given)
    await until_status(client, thread_id, run["run_id"], "running")

    async def has_begun() -> bool:
        return len((await client.threads.get_state(thread_id))["values"]["log"]) > len(STEPS)

    await eventually(has_begun)
    return thread_id, run["run_id"]


async def second(client: LangGraphClient, thread_id: str, strategy: Any) -> Any:
    """What the second run sees."""
    return await client.runs.wait(thread_id, "steps", input={"log": ["second"]}, multitask_strategy=strategy)


async def test_reject(client: LangGraphClient) -> None:
    thread_id, run_id = await busy(client, SLOW)
    with pytest.raises(httpx.HTTPStatusError, match="409"):
        await second(client, thread_id, "reject")
    await client.runs.cancel(thread_id, run_id, wait=True)
    assert (await second(client, thread_id, "reject"))["log"][-4:] == ["second", *STEPS]


@pytest.mark.parametrize("strategy", ["enqueue", None])
async def test_enqueue(client: LangGraphClient, strategy: str | None) -> None:
    thread_id, run_id = await busy(client, {"pause": 0.05, "rounds": 6})
    seen = await second(client, thread_id, strategy)
    assert seen["log"] == [*STEPS, "step3", "step4", "step5", "second", *STEPS]
    assert (await client.runs.get(thread_id, run_id))["status"] == "success"


async def test_interrupt(client: LangGraphClient) -> None:
    thread_id, run_id = await busy(client, SLOW)
    waiting = await client.runs.create(thread_id, "steps", input={"log": ["waiting"]})
    seen = await second(client, thread_id, "interrupt")
    assert seen["log"][:4] == [*STEPS, "step3"]
    assert seen["log"][-4:] == ["second", *STEPS]
    assert "waiting" not in seen["log"]
    for ended in (run_id, waiting["run_id"]):
        assert (await client.runs.get(thread_id, ended))["status"] == "interrupted"


async def test_rollback(client: LangGraphClient) -> None:
    thread_id, run_id = await busy(client, SLOW)
    waiting = await client.runs.create(thread_id, "steps", input={"log": ["waiting"]})
    seen = await second(client, thread_id, "rollback")
    assert seen["log"] == [*STEPS, "second", *STEPS]
    for gone in (run_id, waiting["run_id"]):
        with pytest.raises(NotFoundError):
            await client.runs.get(thread_id, gone)


async def pester(
    client: LangGraphClient,
    thread_id: str,
    journal: Path,
    chance: random.Random,
    expected: tuple[type[Exception], ...] = (),
) -> list[str]:
    """Create runs with any strategy and cancel some, for a while; the runs that were accepted. `expected`: what may
    befall a request besides being refused."""
    made: list[str] = []
    until = time.monotonic() + SECONDS
    while time.monotonic() < until:
        given = {"journal": str(journal), "pause": chance.choice((0, 0.01, 0.05))}
        try:
            run = await client.runs.create(
                thread_id, "exclusive", input=given, multitask_strategy=chance.choice(STRATEGIES)
            )
            made.append(run["run_id"])
        except (ConflictError, *expected):
            pass
        if made and chance.random() < 0.3:
            action: Any = chance.choice(("interrupt", "rollback"))
            try:
                await client.runs.cancel(
                    thread_id, chance.choice(made[-3:]), action=action, wait=chance.random() < 0.3
                )
            except httpx.HTTPStatusError as error:
                assert error.response.status_code == 404
            except (NotFoundError, *expected):
                pass
        await asyncio.sleep(chance.uniform(0, 0.04))
    return made


async def test_all_strategies_and_cancels_at_random(client: LangGraphClient, tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    chance = random.Random(time.time_ns())
    threads = [await thread_of(client) for _ in range(6)]
    pesterers = [(thread_id, random.Random(chance.random())) for thread_id in threads for _ in range(2)]
    async with asyncio.timeout(60):
        made = await asyncio.gather(
            *(pester(client, thread_id, journal, own) for thread_id, own in pesterers)
        )

    async def all_settled() -> bool:
        return not any([(await client.threads.get(thread_id))["status"] == "busy" for thread_id in threads])

    await eventually(all_settled, "a thread stays busy")
    no_overlap(journal, threads)
    outcomes: Counter[str] = Counter()
    for thread_id in threads:
        mine = [run for (of, _), runs in zip(pesterers, made, strict=True) if of == thread_id for run in runs]
        outcomes += await check_state(client, thread_id, mine)
    assert outcomes["success"] and outcomes["interrupted"] and outcomes["gone"], outcomes


def no_overlap(journal: Path, threads: list[str]) -> None:
    """On a thread, whoever went in came out before the next went in."""
    written = notes(journal)
    for thread_id in threads:
        mine = [(note.word, note.run_id) for note in written if note.thread_id == thread_id]
        assert mine, "nothing ran"
        for (word, run_id), (next_word, next_run) in zip(mine[::2], mine[1::2], strict=True):
            assert (word, next_word, run_id) == ("enter", "leave", next_run)


async def check_state(client: LangGraphClient, thread_id: str, made: list[str]) -> "Counter[str]":
    """Every run has ended, and the state holds what the ones that were not rolled back have written."""
    log = Counter((await client.threads.get_state(thread_id))["values"].get("log", []))
    outcomes: Counter[str] = Counter()
    for run_id in made:
        try:
            status = str((await client.runs.get(thread_id, run_id))["status"])
        except NotFoundError:
            status = "gone"
        outcomes[status] += 1
        # An interrupt may come when all is written and only the end is not.
        expected = {"success": (2,), "gone": (0,), "interrupted": (0, 1, 2)}[status]
        assert log[run_id] in expected, (status, log[run_id])
    return outcomes
