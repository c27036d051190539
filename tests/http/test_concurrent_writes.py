"""Every write endpoint under twenty identical requests at once: one wins, or all of them count, and nothing is lost."""

import asyncio
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any

import httpx
import pytest

from tests.server_process import ServerProcess

MANY = 20

Json = dict[str, Any]
Body = Json | Callable[[int], Json] | None


class Crowd:
    """Twenty clients who do the same at once."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self.http = http
        self.assistants: set[str] = set()
        """Those that were made: the shared server is left with its own."""

    async def all(self, method: str, path: str, body: Body = None) -> list[httpx.Response]:
        """The answers; none is an accident of the server. `body` may depend on the number of the client."""
        requests = (
            self.http.request(method, path, json=body(number) if callable(body) else body)
            for number in range(MANY)
        )
        answers = await asyncio.gather(*requests)
        assert not [answer.text for answer in answers if answer.status_code >= 500]
        if (method, path) == ("POST", "/assistants"):
            self.assistants |= distinct(answers, "assistant_id")
        return answers

    async def one(self, method: str, path: str, body: Json | None = None) -> Any:
        """The answer to a single request, which works."""
        answer = await self.http.request(method, path, json=body)
        assert answer.status_code in (200, 204), answer.text
        if (method, path) == ("POST", "/assistants"):
            self.assistants |= distinct([answer], "assistant_id")
        return answer.json() if answer.content else None

    async def thread(self, **body: Any) -> str:
        """The id of a new thread."""
        return str((await self.one("POST", "/threads", body))["thread_id"])


def statuses(answers: Iterable[httpx.Response]) -> Counter[int]:
    return Counter(answer.status_code for answer in answers)


def distinct(answers: Iterable[httpx.Response], key: str) -> set[Any]:
    return {answer.json()[key] for answer in answers if answer.status_code == 200}


@pytest.fixture
async def crowd(server: ServerProcess) -> AsyncIterator[Crowd]:
    limits = httpx.Limits(max_connections=MANY)
    async with httpx.AsyncClient(base_url=server.url, limits=limits, timeout=60) as http:
        crowd = Crowd(http)
        yield crowd
        for assistant_id in crowd.assistants:
            await http.delete(f"/assistants/{assistant_id}")


CREATED = {"/threads": {}, "/assistants": {"graph_id": "steps", "name": "one"}}


@pytest.mark.parametrize("path", CREATED)
async def test_one_create_wins(crowd: Crowd, path: str) -> None:
    word, own_id = path.strip("/").removesuffix("s"), str(uuid.uuid4())
    body = {**CREATED[path], f"{word}_id": own_id}
    answers = await crowd.all("POST", path, lambda number: {**body, "metadata": {"by": number}})
    assert statuses(answers) == {200: 1, 409: MANY - 1}
    (winner,) = (answer.json() for answer in answers if answer.status_code == 200)
    assert (await crowd.one("GET", f"{path}/{own_id}"))["metadata"] == winner["metadata"]


@pytest.mark.parametrize("path", CREATED)
async def test_creates_that_may_find_it_find_one(crowd: Crowd, path: str) -> None:
    word, own_id, mark = path.strip("/").removesuffix("s"), str(uuid.uuid4()), str(uuid.uuid4())
    body = {**CREATED[path], f"{word}_id": own_id, "if_exists": "do_nothing"}
    answers = await crowd.all("POST", path, {**body, "metadata": {"mark": mark}})
    assert statuses(answers) == {200: MANY}
    assert len(distinct(answers, "created_at")) == 1
    assert len(await crowd.one("POST", f"{path}/search", {"metadata": {"mark": mark}})) == 1


async def test_runs_that_create_their_thread_make_one(crowd: Crowd) -> None:
    thread_id = str(uuid.uuid4())
    body = {"assistant_id": "steps", "input": {"log": []}, "if_not_exists": "create"}
    answers = await crowd.all("POST", f"/threads/{thread_id}/runs", body)
    assert statuses(answers) == {200: MANY} and len(distinct(answers, "run_id")) == MANY
    for run_id in distinct(answers, "run_id"):
        await crowd.one("GET", f"/threads/{thread_id}/runs/{run_id}/join")
    runs = await crowd.one("GET", f"/threads/{thread_id}/runs?limit=100")
    assert [run["status"] for run in runs] == ["success"] * MANY
    thread = await crowd.one("GET", f"/threads/{thread_id}")
    assert thread["status"] == "idle" and len(thread["values"]["log"]) == 3 * MANY


async def test_one_of_the_runs_that_want_a_thread_for_themselves_wins(crowd: Crowd) -> None:
    thread_id = await crowd.thread()
    body = {"assistant_id": "slow", "input": {"pause": 0.2, "rounds": 10}, "multitask_strategy": "reject"}
    answers = await crowd.all("POST", f"/threads/{thread_id}/runs", body)
    assert statuses(answers) == {200: 1, 409: MANY - 1}
    (run_id,) = distinct(answers, "run_id")
    cancelled = await crowd.all("POST", f"/threads/{thread_id}/runs/{run_id}/cancel?wait=1")
    assert set(statuses(cancelled)) <= {200, 204, 404} and statuses(cancelled)[404] < MANY
    assert (await crowd.one("GET", f"/threads/{thread_id}/runs/{run_id}"))["status"] == "interrupted"


@pytest.mark.parametrize("strategy", ["interrupt", "rollback"])
async def test_the_last_of_the_runs_that_push_others_aside_is_left(crowd: Crowd, strategy: str) -> None:
    thread_id = await crowd.thread()
    body = {"assistant_id": "slow", "input": {"pause": 0.05, "rounds": 2}, "multitask_strategy": strategy}
    answers = await crowd.all("POST", f"/threads/{thread_id}/runs", body)
    assert statuses(answers) == {200: MANY}
    last = max(distinct(answers, "created_at"))
    (run_id,) = (answer.json()["run_id"] for answer in answers if answer.json()["created_at"] == last)
    await crowd.one("GET", f"/threads/{thread_id}/runs/{run_id}/join")
    runs = await crowd.one("GET", f"/threads/{thread_id}/runs?limit=100")
    assert Counter(run["status"] for run in runs)["success"] == 1
    assert {run["run_id"]: run["status"] for run in runs}[run_id] == "success"
    assert (await crowd.one("GET", f"/threads/{thread_id}"))["status"] == "idle"


async def test_an_interrupt_is_answered_once(crowd: Crowd) -> None:
    thread_id = await crowd.thread()
    await crowd.one(
        "POST", f"/threads/{thread_id}/runs/wait", {"assistant_id": "interrupting", "input": {"log": []}}
    )
    body = {"assistant_id": "interrupting", "multitask_strategy": "reject"}
    answers = await crowd.all(
        "POST", f"/threads/{thread_id}/runs", lambda number: {**body, "command": {"resume": f"by {number}"}}
    )
    for run_id in distinct(answers, "run_id"):
        await crowd.one("GET", f"/threads/{thread_id}/runs/{run_id}/join")
    log = (await crowd.one("GET", f"/threads/{thread_id}/state"))["values"]["log"]
    assert len([entry for entry in log if entry.startswith("answer")]) == 1


PATCHED = {
    "thread": ("/threads", {}),
    "assistant": ("/assistants", {"graph_id": "steps"}),
    "cron": ("/runs/crons", {"assistant_id": "steps", "schedule": "0 0 1 1 *", "enabled": False}),
}


@pytest.mark.parametrize("word", PATCHED)
async def test_patches_lose_nothing(crowd: Crowd, word: str) -> None:
    path, body = PATCHED[word]
    own_id = (await crowd.one("POST", path, body))[f"{word}_id"]
    answers = await crowd.all(
        "PATCH", f"{path}/{own_id}", lambda number: {"metadata": {f"by{number}": number}}
    )
    assert statuses(answers) == {200: MANY}
    if word == "cron":
        found = await crowd.one("POST", f"{path}/search", {"metadata": {"by0": 0}, "limit": 1000})
        (stored,) = (cron for cron in found if cron["cron_id"] == own_id)
    else:
        stored = await crowd.one("GET", f"{path}/{own_id}")
    assert {key: value for key, value in stored["metadata"].items() if key.startswith("by")} == {
        f"by{number}": number for number in range(MANY)
    }
    if word == "assistant":
        assert sorted(answer.json()["version"] for answer in answers) == list(range(2, MANY + 2))
        versions = await crowd.one("POST", f"{path}/{own_id}/versions", {"limit": 100})
        assert len(versions) == MANY + 1
        latest = await crowd.all("POST", f"{path}/{own_id}/latest", {"version": 3})
        assert statuses(latest) == {200: MANY} and distinct(latest, "version") == {3}


async def test_state_updates_all_count(crowd: Crowd) -> None:
    thread_id = await crowd.thread()
    await crowd.one(
        "POST", f"/threads/{thread_id}/runs/wait", {"assistant_id": "steps", "input": {"log": []}}
    )
    before = await crowd.one("GET", f"/threads/{thread_id}/history?limit=1000")
    answers = await crowd.all(
        "POST",
        f"/threads/{thread_id}/state",
        lambda number: {"values": {"log": [f"by {number}"]}, "as_node": "three"},
    )
    assert set(statuses(answers)) <= {200, 409}
    wrote = statuses(answers)[200]
    assert wrote >= 1 and len(distinct(answers, "checkpoint_id")) == wrote
    after = await crowd.one("GET", f"/threads/{thread_id}/history?limit=1000")
    assert len(after) == len(before) + wrote
    assert len({state["parent_checkpoint"]["checkpoint_id"] for state in after[:wrote]}) == wrote, "a chain"
    log = after[0]["values"]["log"]
    assert len(log) == 3 + wrote
    assert (await crowd.one("GET", f"/threads/{thread_id}"))["values"]["log"] == log


async def test_threads_made_with_a_state_are_made_once(crowd: Crowd) -> None:
    thread_id = str(uuid.uuid4())
    step = {"updates": [{"values": {"log": ["first"]}, "as_node": "one"}]}
    body = {"thread_id": thread_id, "metadata": {"graph_id": "steps"}, "supersteps": [step]}
    answers = await crowd.all("POST", "/threads", body)
    assert statuses(answers) == {200: 1, 409: MANY - 1}
    assert (await crowd.one("GET", f"/threads/{thread_id}/state"))["values"] == {"log": ["first"]}


@pytest.mark.parametrize("word", PATCHED)
async def test_a_delete_works_once(crowd: Crowd, word: str) -> None:
    path, body = PATCHED[word]
    own_id = (await crowd.one("POST", path, body))[f"{word}_id"]
    answers = statuses(await crowd.all("DELETE", f"{path}/{own_id}"))
    assert (answers[200] + answers[204], answers[404]) == (1, MANY - 1)
    assert statuses(await crowd.all("DELETE", f"{path}/{own_id}")) == {404: MANY}


async def test_a_thread_is_deleted_while_it_is_written(crowd: Crowd) -> None:
    thread_id = await crowd.thread(metadata={"graph_id": "steps"})
    update = {"values": {"log": ["late"]}, "as_node": "three"}
    run = {"assistant_id": "slow", "input": {"pause": 0.05, "rounds": 2}}
    await asyncio.gather(
        crowd.all("POST", f"/threads/{thread_id}/state", update),
        crowd.all("POST", f"/threads/{thread_id}/runs", run),
        crowd.all("PATCH", f"/threads/{thread_id}", {"metadata": {"more": 1}}),
        crowd.all("DELETE", f"/threads/{thread_id}"),
    )
    await crowd.http.delete(f"/threads/{thread_id}")
    assert (await crowd.http.get(f"/threads/{thread_id}")).status_code == 404
    # Nothing is left that a new thread of the same id would show.
    await crowd.one("POST", "/threads", {"thread_id": thread_id, "metadata": {"graph_id": "steps"}})
    assert await crowd.one("GET", f"/threads/{thread_id}/history?limit=10") == []


async def test_crons_are_made_while_their_assistant_is_deleted(crowd: Crowd) -> None:
    assistant = await crowd.one("POST", "/assistants", {"graph_id": "steps"})
    body = {"assistant_id": assistant["assistant_id"], "schedule": "0 0 1 1 *"}
    made, deleted = await asyncio.gather(
        crowd.all("POST", "/runs/crons", body),
        crowd.all("DELETE", f"/assistants/{assistant['assistant_id']}"),
    )
    assert set(statuses(made)) <= {200, 404} and set(statuses(deleted)) <= {204, 200, 404}
    query = {"assistant_id": assistant["assistant_id"], "limit": 1000}
    assert await crowd.one("POST", "/runs/crons/search", query) == []


async def test_crons_are_made_while_their_thread_is_deleted(crowd: Crowd) -> None:
    thread_id = await crowd.thread()
    body = {"assistant_id": "steps", "schedule": "0 0 1 1 *"}
    made, _ = await asyncio.gather(
        crowd.all("POST", f"/threads/{thread_id}/runs/crons", body),
        crowd.all("DELETE", f"/threads/{thread_id}"),
    )
    assert set(statuses(made)) <= {200, 404}
    assert await crowd.one("POST", "/runs/crons/search", {"thread_id": thread_id, "limit": 1000}) == []


async def test_a_run_is_deleted_once(crowd: Crowd) -> None:
    thread_id = await crowd.thread()
    run = await crowd.one(
        "POST", f"/threads/{thread_id}/runs", {"assistant_id": "slow", "input": {"pause": 0.2, "rounds": 5}}
    )
    answers = await crowd.all("DELETE", f"/threads/{thread_id}/runs/{run['run_id']}")
    assert set(statuses(answers)) <= {200, 204, 404} and statuses(answers)[404] < MANY
    assert await crowd.one("GET", f"/threads/{thread_id}/runs") == []


async def test_copies_are_whole(crowd: Crowd) -> None:
    thread_id = await crowd.thread()
    await crowd.one(
        "POST", f"/threads/{thread_id}/runs/wait", {"assistant_id": "steps", "input": {"log": []}}
    )
    answers = await crowd.all("POST", f"/threads/{thread_id}/copy")
    copies = distinct(answers, "thread_id")
    assert statuses(answers) == {200: MANY} and len(copies) == MANY
    for copy in copies:
        assert (await crowd.one("GET", f"/threads/{copy}/state"))["values"] == {
            "log": ["one", "two", "three"]
        }


async def test_store_puts_leave_one_item_as_one_of_them_wrote_it(crowd: Crowd) -> None:
    place = {"namespace": ["crowd", str(uuid.uuid4())], "key": "one"}
    answers = await crowd.all(
        "PUT", "/store/items", lambda number: {**place, "value": {"a": number, "b": number}}
    )
    assert statuses(answers) == {204: MANY}
    (item,) = (await crowd.one("POST", "/store/items/search", {"namespace_prefix": place["namespace"]}))[
        "items"
    ]
    assert item["value"]["a"] == item["value"]["b"] in range(MANY)
    several = await crowd.all(
        "PUT", "/store/items", lambda number: {**place, "key": str(number), "value": {}}
    )
    assert statuses(several) == {204: MANY}
    search = {"namespace_prefix": place["namespace"], "limit": 100}
    assert len((await crowd.one("POST", "/store/items/search", search))["items"]) == MANY + 1
    assert statuses(await crowd.all("DELETE", "/store/items", place)) == {204: MANY}
