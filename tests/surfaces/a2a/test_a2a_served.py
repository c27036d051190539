"""An assistant as an A2A agent: tasks, streams, interrupts, cards, over a real server."""

import asyncio
import json
import uuid
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from robyn_server.resources.ids import system_assistant_id
from tests.server_process import ServerProcess

TIMEOUT = 30


class Agent:
    """One assistant, spoken to as `message/send` and its kin or, `shouting`, as `SendMessage` and its kin."""

    def __init__(self, http: httpx.AsyncClient, graph_id: str) -> None:
        self.http = http
        self.path = f"/a2a/{system_assistant_id(graph_id)}"

    async def post(
        self, method: str, params: Any = None, accept: str = "application/json", **headers: str
    ) -> Any:
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        answer = await self.http.post(self.path, json=body, headers={"accept": accept, **headers})
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def ask(self, method: str, params: Any = None, **headers: str) -> Any:
        """The result."""
        answer = await self.post(method, params, **headers)
        assert "result" in answer, answer
        return answer["result"]

    async def refused(self, method: str, params: Any = None) -> int:
        """The code of the error."""
        code: int = (await self.post(method, params))["error"]["code"]
        return code

    async def send(self, *parts: Any, **more: Any) -> Any:
        return await self.ask("message/send", message(*parts, **more))

    async def stream(self, *parts: Any, **more: Any) -> AsyncIterator[Any]:
        """The results of `message/stream`."""
        body = {"jsonrpc": "2.0", "id": 1, "method": "message/stream", "params": message(*parts, **more)}
        accept = {"accept": "text/event-stream"}
        async with self.http.stream("POST", self.path, json=body, headers=accept) as answer:
            assert answer.headers["content-type"] == "text/event-stream"
            async for line in answer.aiter_lines():
                if line.startswith("data: "):
                    yield json.loads(line.removeprefix("data: "))["result"]


def message(*parts: Any, **more: Any) -> dict[str, Any]:
    made = [{"kind": "text", "text": part} if isinstance(part, str) else {"data": part} for part in parts]
    return {"message": {"role": "user", "messageId": str(uuid.uuid4()), "parts": made, **more}}


def state(task: Any) -> str:
    word: str = task["status"]["state"]
    return word


def words(task: Any) -> list[str]:
    """The text of an artifact."""
    return [part["text"] for artifact in task["artifacts"] for part in artifact["parts"]]


@pytest.fixture
async def http(server: ServerProcess) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=server.url, timeout=TIMEOUT) as opened:
        yield opened


async def test_a_message_is_answered_with_its_task(http: httpx.AsyncClient) -> None:
    echo = Agent(http, "echo")
    task = await echo.send("hi")
    thread_id, run_id = task["id"].split(":")
    assert (state(task), words(task)) == ("completed", ["you said: hi"])
    assert [said["role"] for said in task["history"]] == ["user", "agent"] and task["contextId"] == thread_id
    assert (await http.get(f"/threads/{thread_id}/runs/{run_id}")).json()["status"] == "success"
    again = await echo.ask("tasks/get", {"id": task["id"], "historyLength": 1})
    assert [said["parts"][0]["text"] for said in again["history"]] == ["you said: hi"]
    assert await echo.refused("tasks/cancel", {"id": task["id"]}) == -32002
    assert await Agent(http, "steps").refused("tasks/get", {"id": task["id"]}) == -32001


async def test_a_context_goes_on_and_lists_its_tasks(http: httpx.AsyncClient) -> None:
    echo = Agent(http, "echo")
    first = await echo.send("one")
    second = await echo.send("two", contextId=first["contextId"])
    assert [said["taskId"] for said in second["history"]] == [first["id"]] * 2 + [second["id"]] * 2
    listed = await echo.ask("ListTasks", {"contextId": first["contextId"], "pageSize": 1})
    assert [task["id"] for task in listed["tasks"]] == [second["id"]]
    rest = {"contextId": first["contextId"], "pageToken": listed["nextPageToken"]}
    scope = {"langgraph-a2a-history-scope": "task"}
    (older,) = (await echo.ask("ListTasks", rest, **scope))["tasks"]
    assert older["id"] == first["id"] and state(older) == "TASK_STATE_COMPLETED"
    assert [said["parts"][0]["text"] for said in older["history"]] == ["one", "you said: one"]


async def test_the_other_dialect(http: httpx.AsyncClient) -> None:
    echo = Agent(http, "echo")
    sent = await echo.ask("SendMessage", message("hi"))
    assert state(sent["task"]) == "TASK_STATE_COMPLETED"
    assert [said["role"] for said in sent["task"]["history"]] == ["ROLE_USER", "ROLE_AGENT"]
    got = await echo.ask("GetTask", {"id": sent["task"]["id"]})
    assert state(got) == "TASK_STATE_COMPLETED"


async def test_a_stream_tells_the_answer_as_it_grows(http: httpx.AsyncClient) -> None:
    results = [result async for result in Agent(http, "chat").stream("go", {"pause": 0.03})]
    opened, *working, artifact, closed = results
    assert state(opened) == "submitted" and opened["history"][0]["taskId"] == opened["id"]
    texts = [update["status"]["message"]["parts"][0]["text"] for update in working]
    assert len(texts) > 2 and all(
        longer.startswith(shorter) for shorter, longer in zip(texts, texts[1:], strict=False)
    )
    assert artifact["artifact"]["parts"][0]["text"] == texts[-1]
    assert closed["final"] and state(closed) == "completed"


async def test_a_failing_run(http: httpx.AsyncClient) -> None:
    failing = Agent(http, "failing")
    task = await failing.send({"log": []})
    assert state(task) == "failed"
    assert task["status"]["message"]["parts"][0]["text"] == "Error executing assistant: ValueError"
    last = [result async for result in failing.stream({"log": []})][-1]
    assert state(last) == "failed" and last["status"]["message"]["parts"][0]["text"] == "it went wrong"


async def test_an_interrupt_waits_for_input_and_goes_on_with_it(http: httpx.AsyncClient) -> None:
    asking = Agent(http, "interrupting")
    task = await asking.send({"log": []})
    assert state(task) == "input-required"
    assert task["artifacts"][0]["parts"][0]["data"]["value"] == {"question": "which?"}
    assert (
        await asking.refused("message/send", message({"resume": "x"}, contextId=task["contextId"])) == -32602
    )
    done = await asking.send({"resume": "that one"}, taskId=task["id"])
    assert (done["id"], state(done)) == (task["id"], "completed")
    assert "answer: that one" in words(done)[0]
    assert await asking.refused("message/send", message({"resume": "x"}, taskId=task["id"])) == -32004
    (listed,) = (await asking.ask("ListTasks", {"contextId": task["contextId"]}))["tasks"]
    assert listed["id"] == task["id"]


async def test_a_task_that_waits_can_be_given_up(http: httpx.AsyncClient) -> None:
    asking = Agent(http, "interrupting")
    task = await asking.send({"log": []})
    assert state(await asking.ask("tasks/cancel", {"id": task["id"]})) == "canceled"
    assert state(await asking.ask("tasks/get", {"id": task["id"]})) == "canceled"
    assert await asking.refused("message/send", message({"resume": "x"}, taskId=task["id"])) == -32004


async def test_running_work_is_stopped(http: httpx.AsyncClient) -> None:
    slow = Agent(http, "slow")
    results = slow.stream({"rounds": 100, "pause": 0.05})
    opened = await anext(results)
    async with asyncio.timeout(5):
        while state(await slow.ask("tasks/get", {"id": opened["id"]})) != "working":
            pass
    assert state(await slow.ask("tasks/cancel", {"id": opened["id"]})) == "canceled"
    assert [state(result) async for result in results] == ["canceled"]
    assert state(await slow.ask("tasks/get", {"id": opened["id"]})) == "canceled"


async def test_cards(http: httpx.AsyncClient) -> None:
    echo = Agent(http, "echo")
    card = (await http.get(echo.path)).json()
    assert card["url"] == str(http.base_url).rstrip("/") + echo.path and card["name"] == "echo"
    for path in ("agent-card.json", "agent.json"):
        assert (await http.get(f"{echo.path}/.well-known/{path}")).json() == card
    query = {"assistant_id": system_assistant_id("echo")}
    assert (await http.get("/.well-known/agent-card.json", params=query)).json() == card
    assert await echo.ask("GetExtendedAgentCard") == card
    missing = await http.get("/.well-known/agent-card.json")
    assert (missing.status_code, missing.json()["error"]["code"]) == (400, -32602)
    assert (await http.get("/a2a/echo")).status_code == 400


@pytest.mark.parametrize(
    ("method", "params", "code"),
    [
        ("tasks/resubscribe", {}, -32601),
        ("message/send", [], -32602),
        ("message/send", {}, -32602),
        ("message/send", message("hi", contextId="thread-1"), -32602),
        ("message/send", message("hi", taskId="nonsense"), -32001),
        ("tasks/get", {}, -32602),
        ("tasks/get", {"id": "a:b"}, -32001),
        ("ListTasks", {"pageSize": 101}, -32602),
        ("ListTasks", {"status": "done"}, -32602),
        ("ListTasks", {"pageToken": "x"}, -32602),
        ("ListTasks", {"statusTimestampAfter": "x"}, -32602),
    ],
)
async def test_what_is_refused(http: httpx.AsyncClient, method: str, params: Any, code: int) -> None:
    assert await Agent(http, "echo").refused(method, params) == code


async def test_a_graph_that_does_not_talk_takes_data_only(http: httpx.AsyncClient) -> None:
    steps = Agent(http, "steps")
    assert await steps.refused("message/send", message("hi")) == -32602
    assert words(await steps.send({"log": ["zero"]})) == [
        "{'log': ['zero', 'one', 'two', 'three'], 'messages': []}"
    ]


async def test_the_accept_header_is_looked_at(http: httpx.AsyncClient) -> None:
    body = {"jsonrpc": "2.0", "id": 1, "method": "message/stream", "params": message("hi")}
    answer = await http.post(Agent(http, "echo").path, json=body, headers={"accept": "application/json"})
    assert answer.status_code == 400
    assert answer.json() == {"error": "Accept header must include text/event-stream for streaming"}
