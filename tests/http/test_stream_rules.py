"""What a run says and what it does not: modes alone and together, with and without subgraphs, in order."""

import itertools
from typing import Any

import pytest
from langgraph_sdk.client import LangGraphClient
from langgraph_sdk.schema import StreamPart

from tests.http.test_runs import STEPS, thread_of
from tests.http.test_streams import MODES, SENTENCE, events, parts_of

SAY = {"messages": [{"role": "user", "content": "say"}]}


def of(parts: list[StreamPart], event: str) -> list[Any]:
    return [part.data for part in parts if part.event == event]


@pytest.mark.parametrize("pair", list(itertools.combinations(MODES, 2)), ids="+".join)
async def test_two_modes_together_say_what_each_says_alone(
    client: LangGraphClient, pair: tuple[str, str]
) -> None:
    graph, given = (
        ("talk", SAY) if any(mode.startswith("messages") for mode in pair) else ("steps", {"log": []})
    )
    alone = [await parts_of(client, graph, given, mode) for mode in pair]
    both = await parts_of(client, graph, given, list(pair))
    assert both[0].event == "metadata"
    if pair == ("messages", "messages-tuple"):
        # Tuples win: there are no partial messages then.
        assert events(both) == events(alone[1])
        return
    assert events(both) == events(alone[0]) | events(alone[1])
    for mode, parts in zip(pair, alone, strict=True):
        for event in events(parts) - {"metadata", "events"}:
            assert len(of(both, event)) == len(of(parts, event)), (mode, event)


async def test_the_order_within_a_superstep(client: LangGraphClient) -> None:
    modes = ["checkpoints", "values", "tasks", "updates", "custom"]
    parts = await parts_of(client, "steps", {"log": []}, modes)
    step = ["tasks", "custom", "updates", "tasks", "values", "checkpoints"]
    assert [part.event for part in parts] == ["metadata", "checkpoints", "values", "checkpoints", *step * 3]
    assert [part.event for part in await parts_of(client, "steps", {"log": []}, modes[::-1])] == [
        part.event for part in parts
    ]


async def test_a_model_tagged_nostream_is_not_heard(client: LangGraphClient) -> None:
    parts = await parts_of(client, "undertone", SAY, "messages-tuple")
    chunks = [data[0]["content"] for data in of(parts, "messages") if data[0]["type"] == "AIMessageChunk"]
    assert "".join(chunks) == SENTENCE
    assert "nobody" not in str(parts)
    assert "nobody" not in str(await parts_of(client, "undertone", SAY, "messages"))


async def test_the_tokens_and_the_message_are_one(client: LangGraphClient) -> None:
    parts = await parts_of(client, "talk", SAY, ["messages-tuple", "values"])
    (final,) = of(parts, "values")[-1]["messages"][1:]
    assert {data[0]["id"] for data in of(parts, "messages")} == {final["id"]}
    assert final["content"] == SENTENCE
    metadata = of(parts, "messages")[0][1]
    assert (metadata["langgraph_node"], metadata["langgraph_step"], metadata["graph_id"]) == (
        "talk",
        1,
        "talk",
    )


async def test_a_runs_own_modes_are_all_that_is_computed(client: LangGraphClient) -> None:
    thread_id = await thread_of(client)
    run = await client.runs.create(
        thread_id, "steps", input={"log": []}, stream_mode="updates", stream_resumable=True
    )
    assert await client.runs.join(thread_id, run["run_id"]) == {"log": STEPS}
    seen = [part async for part in client.runs.join_stream(thread_id, run["run_id"], last_event_id="-1")]
    assert {part.event for part in seen} == {"metadata", "updates"}
    asked: Any = ["values", "debug", "updates"]
    joined = client.runs.join_stream(thread_id, run["run_id"], last_event_id="-1", stream_mode=asked)
    assert [part async for part in joined] == [part for part in seen if part.event == "updates"]


async def test_without_modes_there_are_values(client: LangGraphClient) -> None:
    for modes in ([], "values"):
        assert events(await parts_of(client, "steps", {"log": []}, modes)) == {"metadata", "values"}
    http = client.http.client
    thread_id = await thread_of(client)
    for wrong in ("nonsense", None, ["values", "tools"], "lifecycle"):
        body = {"assistant_id": "steps", "input": {"log": []}, "stream_mode": wrong}
        assert (await http.post(f"/threads/{thread_id}/runs/stream", json=body)).status_code == 422, wrong


async def test_who_waits_for_a_run_without_values_gets_them(client: LangGraphClient) -> None:
    http = client.http.client
    for mode in MODES:
        body = {"assistant_id": "steps", "input": {"log": []}, "stream_mode": mode}
        thread_id = await thread_of(client)
        assert (await http.post(f"/threads/{thread_id}/runs/wait", json=body)).json() == {"log": STEPS}, mode
        body = {"assistant_id": "interrupting", "input": {"log": []}, "stream_mode": mode}
        answer = (await http.post(f"/threads/{await thread_of(client)}/runs/wait", json=body)).json()
        assert [one["value"] for one in answer["__interrupt__"]] == [{"question": "which?"}], mode
