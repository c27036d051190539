"""No two runs of a thread ever overlap: all strategies and cancels at random, while the server is killed."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path

from tests.crash.journal import Note, notes
from tests.http.test_multitask import check_state, pester
from tests.http.test_runs import thread_of
from tests.server_process import ServerProcess
from tests.stream_reader import BROKEN
from tests.waiting import eventually

KILLS = 2


async def test_runs_never_overlap_whatever_happens(
    server_factory: Callable[..., ServerProcess], tmp_path: Path
) -> None:
    server = server_factory().start()
    journal, chance = tmp_path / "journal", random.Random(time.time_ns())
    kills: list[float] = []
    async with server.sdk() as client:
        threads = [await thread_of(client) for _ in range(4)]
        pestered = [thread_id for thread_id in threads for _ in range(2)]
        pestering = asyncio.gather(
            *(
                pester(client, thread_id, journal, random.Random(chance.random()), BROKEN)
                for thread_id in pestered
            )
        )
        for _ in range(KILLS):
            await asyncio.sleep(chance.uniform(0.8, 1.5))
            await asyncio.to_thread(server.kill_server)
            kills.append(time.time())
            await asyncio.to_thread(server.is_back)
        made = await pestering

        async def all_settled() -> bool:
            return not any([(await client.threads.get(one))["status"] == "busy" for one in threads])

        await eventually(all_settled, "a thread stays busy")
        outcomes: Counter[str] = Counter()
        for thread_id in threads:
            check_journal([note for note in notes(journal) if note.thread_id == thread_id], kills)
            acknowledged = [
                run for of, runs in zip(pestered, made, strict=True) if of == thread_id for run in runs
            ]
            outcomes += await check_state(client, thread_id, acknowledged)
    assert outcomes["success"] and outcomes["interrupted"] and outcomes["gone"], outcomes
    server.stop()


def check_journal(written: Sequence[Note], kills: Sequence[float]) -> None:
    """Whoever went in came out before the next went in; only a kill leaves somebody inside, for good."""
    assert written
    for note, following in pairwise(written):
        if note.word == "leave":
            assert following.word == "enter"
        elif following.word == "leave":
            assert note.run_id == following.run_id
        else:
            assert any(note.at < kill < following.at for kill in kills), (note, following)
