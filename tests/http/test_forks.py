"""Questions and forks as chat pages ask for them: the bodies that clients send, in every combination they use."""

from typing import Any

import httpx
import pytest
from langgraph_sdk.client import LangGraphClient

from tests.http.test_runs import STEPS, thread_of
from tests.http.test_streams import SENTENCE
from tests.server_process import ServerProcess

CHAT_PAGE: dict[str, Any] = {
    "stream_mode": ["values", "messages-tuple", "custom"],
    "stream_subgraphs": True,
    "stream_resumable": True,
    "on_disconnect": "continue",
}


class Page:
    """A chat page on one thread: it posts what agent-chat-ui posts."""

    def __init__(self, http: httpx.Client, assistant: str) -> None:
        self._http = http
        self._assistant = assistant
        self.thread_id = http.post("/threads", json={}).json()["thread_id"]

    def submit(self, **body: Any) -> str:
        """Stream a run to its end; the text of the stream."""
        whole = {**CHAT_PAGE, "assistant_id": self._assistant, **body}
        answer = self._http.post(f"/threads/{self.thread_id}/runs/stream", json=whole)
        assert answer.status_code == 200, answer.text
        assert "event: error" not in answer.text, answer.text
        return answer.text

    def say(self, text: str, message_id: str, **body: Any) -> str:
        message = {"id": message_id, "type": "human", "content": [{"type": "text", "text": text}]}
        return self.submit(input={"messages": [message], "pause": 0}, **body)

    def history(self) -> list[dict[str, Any]]:
        answer = self._http.post(f"/threads/{self.thread_id}/history", json={"limit": 10})
        states: list[dict[str, Any]] = answer.json()
        return states

    def head(self) -> dict[str, Any]:
        """The checkpoint of the displayed branch, as the page sends it: without the thread."""
        return without_thread(self.history()[0]["checkpoint"])

    def before(self, message_id: str) -> dict[str, Any]:
        """The parent of the state in which a message first appeared."""
        holders = [state for state in self.history() if message_id in ids(state)]
        return without_thread(holders[-1]["parent_checkpoint"])

    def thread(self) -> dict[str, Any]:
        found: dict[str, Any] = self._http.get(f"/threads/{self.thread_id}").json()
        return found


def without_thread(checkpoint: dict[str, Any]) -> dict[str, Any]:
    return {key: checkpoint[key] for key in ("checkpoint_id", "checkpoint_ns")}


def ids(state: dict[str, Any]) -> list[str]:
    return [message["id"] for message in state["values"].get("messages", ())]


def texts(page: Page) -> list[Any]:
    """What the newest state says, a word for each message."""
    return [
        message["content"][0]["text"] if isinstance(message["content"], list) else message["content"]
        for message in page.history()[0]["values"]["messages"]
    ]


def test_turns_an_edit_and_a_new_answer(server: ServerProcess) -> None:
    with server.http() as http:
        page = Page(http, "chat")
        page.say("first", "m1")
        page.say("second", "m2", checkpoint=page.head())
        assert texts(page) == ["first", SENTENCE, "second", SENTENCE]
        page.say("edited", "m3", checkpoint=page.before("m2"))
        assert texts(page) == ["first", SENTENCE, "edited", SENTENCE]
        (answer,) = (one for one in ids(page.history()[0])[3:])
        # No `input` at all: go on from there.
        page.submit(checkpoint=page.before(answer))
        assert texts(page) == ["first", SENTENCE, "edited", SENTENCE]
        assert ids(page.history()[0])[:3] == ["m1", ids(page.history()[0])[1], "m3"]
        assert ids(page.history()[0])[3] != answer
        assert page.thread()["status"] == "idle"


def test_a_decision_with_an_empty_input(server: ServerProcess) -> None:
    with server.http() as http:
        page = Page(http, "approval")
        told = page.say("send it", "m1")
        assert "__interrupt__" in told
        decision = {"resume": {"decisions": [{"type": "approve"}]}}
        page.submit(
            input={}, command=decision, checkpoint=page.head(), on_disconnect="cancel", stream_resumable=False
        )
        assert texts(page)[-1] == "decided: approve"
        page.say("send more", "m2", checkpoint=page.head())
        page.submit(input=None, command={"resume": {"decisions": [{"type": "reject"}]}})
        assert texts(page)[-1] == "decided: reject"
        page.say("send all", "m3", checkpoint=page.head())
        page.submit(input={}, command={"goto": "__end__"}, checkpoint=page.head())
        # Nothing was decided: the form goes away because the stream says nothing of it, the question stays.
        assert (page.thread()["status"], page.history()[0]["next"]) == ("interrupted", ["approve"])


async def test_parallel_questions(client: LangGraphClient) -> None:
    for how in ("one by one", "at once"):
        thread_id = await thread_of(client)
        asked = await client.runs.wait(thread_id, "parallel", input={"log": []})
        assert isinstance(asked, dict)
        questions = {one["value"]["from"]: one["id"] for one in asked["__interrupt__"]}
        assert set(questions) == {"left", "right"}
        thread = await client.threads.get(thread_id)
        assert sorted(one["id"] for task in thread["interrupts"].values() for one in task) == sorted(
            questions.values()
        )
        if how == "one by one":
            first = await client.runs.wait(
                thread_id, "parallel", command={"resume": {questions["right"]: "r"}}
            )
            assert isinstance(first, dict)
            assert [one["id"] for one in first["__interrupt__"]] == [questions["left"]]
            last = await client.runs.wait(thread_id, "parallel", command={"resume": {questions["left"]: "l"}})
        else:
            both = {questions["left"]: "l", questions["right"]: "r"}
            last = await client.runs.wait(thread_id, "parallel", command={"resume": both})
        assert last == {"log": ["left: l", "right: r"]}
        assert (await client.threads.get(thread_id))["status"] == "idle"


async def test_a_question_in_a_subgraph(client: LangGraphClient) -> None:
    thread_id = await thread_of(client)
    parts = [
        part
        async for part in client.runs.stream(
            thread_id, "nested", input={"log": []}, stream_mode=["values", "updates"], stream_subgraphs=True
        )
    ]
    assert [one["value"] for one in parts[-1].data["__interrupt__"]] == [{"from": "inner"}]
    state = await client.threads.get_state(thread_id, subgraphs=True)
    assert (state["next"], state["values"]) == (["inner"], {"log": ["before"]})
    inner: Any = state["tasks"][0]["state"]
    assert inner["next"] == ["inner_ask"]
    at_the_subgraph = await client.threads.get_state(thread_id, checkpoint=inner["checkpoint"])
    assert at_the_subgraph["next"] == ["inner_ask"]
    ended = await client.runs.wait(thread_id, "nested", command={"resume": "yes"})
    assert isinstance(ended, dict)
    assert ended["log"][-2:] == ["inner: yes", "after"]


async def test_breakpoints_of_graph_and_request(client: LangGraphClient) -> None:
    thread_id = await thread_of(client)
    stopped = await client.runs.wait(thread_id, "breaks", input={"log": []})
    assert stopped == {"log": ["one"]}
    thread = await client.threads.get(thread_id)
    assert (thread["status"], thread["interrupts"]) == ("interrupted", {})
    assert await client.runs.wait(thread_id, "breaks", input=None) == {"log": ["one", "two"]}
    thread_id = await thread_of(client)
    everywhere = await client.runs.wait(thread_id, "steps", input={"log": []}, interrupt_before="*")
    assert everywhere == {"log": []}
    for seen in (["one"], ["one", "two"]):
        stopped = await client.runs.wait(thread_id, "steps", input=None, interrupt_after="*")
        assert stopped == {"log": seen}


async def test_an_answer_that_leads_somewhere(client: LangGraphClient) -> None:
    for where in ("a", "b"):
        thread_id = await thread_of(client)
        await client.runs.wait(thread_id, "crossing", input={"visits": []})
        ended = await client.runs.wait(thread_id, "crossing", command={"resume": where})
        assert ended == {"visits": [f"gate: {where}", where]}
    # An update and a goto beside each other, in both forms.
    for update in ({"visits": ["by hand"]}, [["visits", ["by hand"]]]):
        command: Any = {"update": update, "goto": "b"}
        moved = await client.runs.wait(thread_id, "crossing", command=command)
        assert isinstance(moved, dict) and moved["visits"][-2:] == ["by hand", "b"]
    sent: Any = {"goto": [{"node": "a", "input": {}}, {"node": "b", "input": {}}]}
    moved = await client.runs.wait(thread_id, "crossing", command=sent)
    assert isinstance(moved, dict) and sorted(moved["visits"][-2:]) == ["a", "b"]


@pytest.mark.parametrize("how", ["checkpoint", "checkpoint_id", "configurable"])
async def test_a_fork_is_named_in_three_ways(client: LangGraphClient, how: str) -> None:
    thread_id = await thread_of(client)
    await client.runs.wait(thread_id, "steps", input={"log": []})
    at = (await client.threads.get_history(thread_id, limit=10))[2]["checkpoint"]
    places: dict[str, dict[str, Any]] = {
        "checkpoint": {"checkpoint": at},
        "checkpoint_id": {"checkpoint_id": at["checkpoint_id"]},
        "configurable": {"config": {"configurable": {"checkpoint_id": at["checkpoint_id"]}}},
    }
    forked = await client.runs.wait(thread_id, "steps", input={"log": ["new"]}, **places[how])
    assert forked == {"log": ["one", "new", *STEPS]}
    state = await client.threads.get_state(thread_id)
    assert (state["values"], state["next"]) == (forked, [])
    unknown = await client.http.client.post(
        f"/threads/{thread_id}/runs/wait", json={"assistant_id": "steps", "checkpoint_id": "nonsense"}
    )
    assert unknown.status_code == 422
