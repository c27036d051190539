"""A new run on a thread that is busy in every way a thread can be: what becomes of whom, and of the state."""

import itertools
from typing import Any, Literal, TypeAlias

import httpx
import pytest
from langgraph_sdk.client import LangGraphClient

from tests.http.test_cancelling import settled, status_of
from tests.http.test_multitask import busy, second
from tests.http.test_runs import SLOW, STEPS, thread_of
from tests.http.test_streams import parts_of

Strategy: TypeAlias = Literal["enqueue", "interrupt", "rollback"]
ANSWERED = ["prepared", "answer: yes", "finished"]


async def later(client: LangGraphClient, thread_id: str, strategy: Any = None) -> str:
    """A run that waits for its time."""
    run = await client.runs.create(
        thread_id, "steps", input={"log": ["later"]}, after_seconds=600, multitask_strategy=strategy
    )
    return str(run["run_id"])


async def test_only_a_pending_run(client: LangGraphClient) -> None:
    thread_id = await thread_of(client)
    await client.runs.wait(thread_id, "steps", input={"log": []})
    waiting = await later(client, thread_id)
    with pytest.raises(httpx.HTTPStatusError, match="409"):
        await second(client, thread_id, "reject")
    assert (await second(client, thread_id, "enqueue"))["log"] == [*STEPS, "second", *STEPS]
    assert await status_of(client, thread_id, waiting) == "pending"
    assert (await client.threads.get(thread_id))["status"] == "busy"
    assert (await second(client, thread_id, "interrupt"))["log"][-4:] == ["second", *STEPS]
    assert await status_of(client, thread_id, waiting) == "interrupted"
    waiting = await later(client, thread_id)
    assert "later" not in (await second(client, thread_id, "rollback"))["log"]
    assert await status_of(client, thread_id, waiting) == "gone"
    assert (await settled(client, thread_id))["status"] == "idle"


@pytest.mark.parametrize("order", list(itertools.permutations(("enqueue", "interrupt", "rollback"))))
async def test_one_after_the_other(client: LangGraphClient, order: tuple[Strategy, ...]) -> None:
    thread_id, first = await busy(client, SLOW)
    made = [first]
    for number, strategy in enumerate(order):
        run = await client.runs.create(
            thread_id, "steps", input={"log": [number]}, multitask_strategy=strategy
        )
        made.append(run["run_id"])
    if order[-1] == "enqueue":
        await client.runs.join(thread_id, made[-1])
    thread = await settled(client, thread_id)
    ended = [await status_of(client, thread_id, run_id) for run_id in made]
    for number, end in enumerate(ended):
        assert end in ends(order[number:], quick=number > 0), (number, ended)
    log = thread["values"]["log"]
    assert log[: len(STEPS)] == STEPS
    assert ("step3" in log) == (ended[0] == "interrupted")
    for number, status in enumerate(ended[1:]):
        if status == "success":
            at = log.index(number)
            assert log[at + 1 : at + 4] == STEPS
        elif status == "gone":
            assert number not in log
    assert (thread["status"], (await client.threads.get_state(thread_id))["next"]) == ("idle", [])


def ends(later: tuple[Strategy, ...], *, quick: bool) -> set[str]:
    """How a run may end behind which runs of these strategies are created; a quick one may be through before."""
    stopping = [strategy for strategy in later if strategy != "enqueue"]
    found = {"success"} if quick or not stopping else set()
    if stopping:
        found.add({"interrupt": "interrupted", "rollback": "gone"}[stopping[0]])
    if "rollback" in stopping:
        # Asked to stop, it may not have stopped yet when it is taken back as well.
        found.add("gone")
    return found


@pytest.mark.parametrize("strategy", ["interrupt", "rollback"])
async def test_a_superseded_stream_closes(client: LangGraphClient, strategy: Any) -> None:
    thread_id, first = await busy(client, SLOW)
    stream = client.runs.join_stream(thread_id, first)
    assert (await anext(stream)).event == "values"
    run = await client.runs.create(
        thread_id, "slow", input={"pause": 0.5, "rounds": 1}, multitask_strategy=strategy
    )
    assert {part.event async for part in stream} <= {"metadata", "values"}
    if strategy == "interrupt":
        told = (await client.threads.get(thread_id))["error"]
        assert told is None or told["message"] == (
            f"superseded by run {run['run_id']} (multitask_strategy=interrupt)"
        )
    await client.runs.join(thread_id, run["run_id"])
    # Whoever comes after all of it starts where all of it has ended.
    assert (await settled(client, thread_id))["status"] == "idle"


async def test_behind_a_run_that_fails(client: LangGraphClient) -> None:
    thread_id, running = await busy(client, {"pause": 0.05, "rounds": 6})
    failing = await client.runs.create(thread_id, "failing", input={"log": ["failing"]})
    seen = await second(client, thread_id, "enqueue")
    assert await status_of(client, thread_id, running) == "success"
    assert await status_of(client, thread_id, failing["run_id"]) == "error"
    assert seen["log"][-6:] == ["failing", "first", "second", *STEPS]
    thread = await settled(client, thread_id)
    assert (thread["status"], thread["error"]) == ("idle", None)


async def test_behind_a_run_that_asks(client: LangGraphClient) -> None:
    thread_id, _ = await busy(client, {"pause": 0.05, "rounds": 6})
    asking = await client.runs.create(thread_id, "interrupting", input={"log": []})
    answer = await client.runs.wait(thread_id, "interrupting", command={"resume": "yes"})
    assert await status_of(client, thread_id, asking["run_id"]) == "success"
    assert isinstance(answer, dict) and answer["log"][-3:] == ANSWERED
    asked = await client.runs.wait(thread_id, "interrupting", input={"log": []})
    assert "__interrupt__" in asked
    # New input is no answer: the question goes, and comes anew.
    again = await client.runs.wait(
        thread_id, "interrupting", input={"log": ["anew"]}, multitask_strategy="interrupt"
    )
    assert isinstance(again, dict) and again["log"][-2:] == ["anew", "prepared"]
    assert (await client.threads.get(thread_id))["status"] == "interrupted"


async def test_a_rollback_takes_back_an_answer(client: LangGraphClient) -> None:
    thread_id = await thread_of(client)
    await client.runs.wait(thread_id, "interrupting", input={"log": []})
    question = (await client.threads.get_state(thread_id))["checkpoint"]
    held = await client.runs.create(thread_id, "interrupting", command={"resume": "no"}, after_seconds=600)
    answer = await client.runs.wait(
        thread_id, "interrupting", command={"resume": "yes"}, multitask_strategy="rollback"
    )
    assert isinstance(answer, dict) and answer["log"] == ANSWERED
    assert await status_of(client, thread_id, held["run_id"]) == "gone"
    history = await client.threads.get_history(thread_id, limit=20)
    assert question in [one["checkpoint"] for one in history]


async def test_other_threads_go_on(client: LangGraphClient) -> None:
    one, run_id = await busy(client, SLOW)
    parts = await parts_of(client, "steps", {"log": []}, "values")
    assert parts[-1].data == {"log": STEPS}
    assert await status_of(client, one, run_id) == "running"
    await client.runs.cancel(one, run_id, wait=True)
