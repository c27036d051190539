"""A graph that asks, and a person who answers, through the real SDK."""

from langgraph_sdk.client import LangGraphClient

from tests.http.test_runs import thread_of


async def test_ask_and_resume(client: LangGraphClient) -> None:
    thread_id = await thread_of(client)
    asked = await client.runs.wait(thread_id, "interrupting", input={"log": []})
    (interrupt,) = asked["__interrupt__"]
    assert interrupt["value"] == {"question": "which?"}
    thread = await client.threads.get(thread_id)
    assert thread["status"] == "interrupted"
    assert [one["value"] for task in thread["interrupts"].values() for one in task] == [
        {"question": "which?"}
    ]
    state = await client.threads.get_state(thread_id)
    assert state["next"] == ["ask"]
    assert state["tasks"][0]["interrupts"][0]["value"] == {"question": "which?"}
    answered = await client.runs.wait(thread_id, "interrupting", command={"resume": "this"})
    assert answered == {"log": ["prepared", "answer: this", "finished"]}
    thread = await client.threads.get(thread_id)
    assert (thread["status"], thread["interrupts"]) == ("idle", {})


async def test_the_stream_shows_the_interrupt(client: LangGraphClient) -> None:
    thread_id = await thread_of(client)
    parts = [
        part
        async for part in client.runs.stream(
            thread_id, "interrupting", input={"log": []}, stream_mode=["values", "updates"]
        )
    ]
    assert "__interrupt__" in parts[-1].data
    assert parts[-1].event == "values"
    assert [list(part.data) for part in parts if part.event == "updates"] == [["prepare"], ["__interrupt__"]]
    resumed = client.runs.stream(
        thread_id, "interrupting", command={"resume": "that"}, stream_mode="updates", stream_resumable=True
    )
    assert [list(part.data)[0] async for part in resumed if part.event == "updates"] == ["ask", "finish"]


async def test_a_rolled_back_answer_leaves_the_question(client: LangGraphClient) -> None:
    thread_id = await thread_of(client)
    await client.runs.wait(thread_id, "interrupting", input={"log": []})
    run = await client.runs.create(
        thread_id, "interrupting", command={"resume": "no"}, interrupt_after=["ask"]
    )
    await client.runs.join(thread_id, run["run_id"])
    await client.runs.delete(thread_id, run["run_id"])
    state = await client.threads.get_state(thread_id)
    assert (state["values"], state["next"]) == ({"log": ["prepared"]}, ["ask"])
    answered = await client.runs.wait(thread_id, "interrupting", command={"resume": "yes"})
    assert answered == {"log": ["prepared", "answer: yes", "finished"]}


async def test_new_input_starts_over(client: LangGraphClient) -> None:
    thread_id = await thread_of(client)
    await client.runs.wait(thread_id, "interrupting", input={"log": []})
    again = await client.runs.wait(thread_id, "interrupting", input={"log": ["again"]})
    assert "__interrupt__" in again
    answered = await client.runs.wait(thread_id, "interrupting", command={"resume": "x"})
    assert answered["log"][-2:] == ["answer: x", "finished"]
