"""A worker beside the server: what clients of the server see is what they see of one process."""

import asyncio
import json
import time
from pathlib import Path

from tests.crash.journal import notes
from tests.http.test_multitask import no_overlap
from tests.joined.conftest import Installation
from tests.scale.test_many_processes import fires_once

WITHIN = 60


async def test_runs_of_a_worker_are_streamed_joined_awaited_and_cancelled(installation: Installation) -> None:
    api = installation.api()
    installation.worker()
    async with api.sdk() as sdk, asyncio.timeout(WITHIN):
        thread_id = (await sdk.threads.create())["thread_id"]
        streamed = [
            part
            async for part in sdk.runs.stream(thread_id, "steps", input={"log": []}, stream_mode="updates")
        ]
        assert [part.event for part in streamed] == ["metadata", "updates", "updates", "updates"]
        assert (await sdk.threads.get(thread_id))["status"] == "idle"

        given = {"log": [], "rounds": 5, "pause": 0.1}
        run = await sdk.runs.create(thread_id, "slow", input=given, stream_resumable=True)
        followed = [part async for part in sdk.runs.join_stream(thread_id, run["run_id"])]
        again = [part async for part in sdk.runs.join_stream(thread_id, run["run_id"], last_event_id="-1")]
        assert [part.event for part in again][:2] == ["metadata", "values"]
        assert again[-len(followed) :] == followed
        joined = await sdk.runs.join(thread_id, run["run_id"])
        waited = await sdk.runs.wait(None, "slow", input={"log": [], "rounds": 2, "pause": 0})
        assert (len(joined["log"]), len(waited["log"])) == (5, 2)

        run = await sdk.runs.create(thread_id, "slow", input={"rounds": 500, "pause": 0.1})
        await anext(sdk.runs.join_stream(thread_id, run["run_id"]))
        asked = time.monotonic()
        await sdk.runs.cancel(thread_id, run["run_id"], wait=True)
        assert time.monotonic() - asked < 2, "only a heartbeat told the worker"
        assert (await sdk.runs.get(thread_id, run["run_id"]))["status"] == "interrupted"


async def test_a_run_that_asks_is_answered_and_its_state_changed(installation: Installation) -> None:
    api = installation.api()
    installation.worker()
    async with api.sdk() as sdk, asyncio.timeout(WITHIN):
        thread_id = (await sdk.threads.create())["thread_id"]
        asked = await sdk.runs.wait(thread_id, "interrupting", input={"log": []})
        assert "__interrupt__" in asked
        assert (await sdk.threads.get(thread_id))["status"] == "interrupted"
        assert (await sdk.threads.get_state(thread_id))["tasks"][0]["interrupts"]
        await sdk.threads.update_state(thread_id, {"log": ["by hand"]})
        resumed = [
            part
            async for part in sdk.runs.stream(
                thread_id, "interrupting", command={"resume": "go"}, stream_mode="values"
            )
        ]
        assert "error" not in [part.event for part in resumed]
        state = await sdk.threads.get_state(thread_id)
        assert "by hand" in state["values"]["log"] and not state["next"]
        assert state["values"] == resumed[-1].data


async def test_what_changes_at_the_server_the_worker_sees(installation: Installation) -> None:
    """Nothing that was read may be remembered."""
    api = installation.api()
    installation.worker()
    async with api.sdk() as sdk, asyncio.timeout(WITHIN):
        made = await sdk.assistants.create("slow", config={"recursion_limit": 3})
        given = {"log": [], "rounds": 10, "pause": 0}
        thread_id = (await sdk.threads.create())["thread_id"]
        ends = []
        for limit in (3, 30):
            await sdk.assistants.update(made["assistant_id"], config={"recursion_limit": limit})
            run = await sdk.runs.create(thread_id, made["assistant_id"], input=given)
            await sdk.runs.join(thread_id, run["run_id"])
            ends.append((await sdk.runs.get(thread_id, run["run_id"]))["status"])
        assert ends == ["error", "success"]


async def test_two_workers_keep_to_one_run_at_a_time_and_to_their_order(
    installation: Installation, tmp_path: Path
) -> None:
    api = installation.api()
    for _ in range(2):
        installation.worker("--slots", "3")
    journal = tmp_path / "journal"
    given = {"log": [], "journal": str(journal), "pause": 0.02}
    async with api.sdk() as sdk, asyncio.timeout(WITHIN):
        threads = [(await sdk.threads.create())["thread_id"] for _ in range(4)]
        made: dict[str, list[str]] = {thread_id: [] for thread_id in threads}
        for _ in range(8):
            for thread_id in threads:
                run = await sdk.runs.create(thread_id, "exclusive", input=given, multitask_strategy="enqueue")
                made[thread_id].append(run["run_id"])
        for thread_id in threads:
            await sdk.runs.join(thread_id, made[thread_id][-1])
    no_overlap(journal, threads)
    for thread_id in threads:
        entered = [note.run_id for note in notes(journal) if note.thread_id == thread_id]
        assert list(dict.fromkeys(entered)) == made[thread_id]


async def test_a_cron_fires_once_for_all_processes(installation: Installation) -> None:
    installation.environ["CRON_SCHEDULER_SLEEP_TIME"] = "0.1"
    api = installation.api()
    installation.worker()
    await fires_once(api)


BLOCKING = """
import time
from typing import TypedDict
from langgraph.graph import START, StateGraph


class State(TypedDict, total=False):
    seconds: float


async def block(state: State) -> State:
    time.sleep(state["seconds"])
    return {}


blocking = StateGraph(State).add_node(block).add_edge(START, "block").compile()
"""


async def test_a_loop_that_user_code_blocks_is_the_worker_s_alone(
    installation: Installation, tmp_path: Path
) -> None:
    (tmp_path / "graphs.py").write_text(BLOCKING)
    installation.config = tmp_path / "langgraph.json"
    config = {"dependencies": ["."], "graphs": {"blocking": "./graphs.py:blocking"}}
    installation.config.write_text(json.dumps(config))
    api = installation.api()
    installation.worker()
    async with api.sdk() as sdk, asyncio.timeout(WITHIN):
        thread_id = (await sdk.threads.create())["thread_id"]
        stream = sdk.runs.stream(thread_id, "blocking", input={"seconds": 8}, stream_mode="updates")
        assert (await anext(stream)).event == "metadata"
        slowest = 0.0
        for _ in range(5):
            began = time.monotonic()
            await sdk.http.get("/ok")
            await sdk.threads.get(thread_id)
            await sdk.threads.get_state(thread_id)
            await sdk.threads.create()
            queued = await sdk.runs.create(None, "blocking", input={"seconds": 0})
            assert queued["status"] == "pending"
            slowest = max(slowest, time.monotonic() - began)
        assert (await sdk.threads.get(thread_id))["status"] == "busy"
        assert slowest < 2
        assert [part.event async for part in stream] == ["updates"]
        state = await sdk.threads.get_state(thread_id)
        assert not state["next"]
