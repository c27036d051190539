"""Ways around the table: taken ids, other people's places inside a body, and many users at once."""

import asyncio
import uuid
from typing import Any

import httpx
import pytest

from tests.auth.isolation_scene import MARK
from tests.auth.people import ANN, BOB, bearer
from tests.server_process import ServerProcess

USERS = [str(uuid.UUID(int=0x100 + number)) for number in range(20)]
REQUESTS_EACH = 10


def as_bob(http: httpx.Client, method: str, path: str, body: Any = None) -> httpx.Response:
    return http.request(method, path, json=body, headers=bearer(BOB))


@pytest.mark.parametrize("if_exists", ["raise", "do_nothing"])
def test_a_taken_id_shows_nothing_of_what_has_it(http, anns, if_exists):
    for path, body in (
        ("/threads", {"thread_id": anns.thread}),
        ("/assistants", {"assistant_id": anns.assistant, "graph_id": "echo"}),
    ):
        answer = as_bob(http, "POST", path, {**body, "if_exists": if_exists})
        assert answer.status_code == 409
        assert MARK not in answer.text


def test_nothing_can_be_given_away_or_claimed(http, anns):
    for path, change, read in (
        ("/threads", {"metadata": {"owner": ANN}}, "thread_id"),
        (
            "/assistants",
            {"metadata": {"owner": ANN, "created_by": "system"}, "graph_id": "echo"},
            "assistant_id",
        ),
    ):
        made = as_bob(http, "POST", path, change).json()
        assert made["metadata"]["owner"] == BOB
        changed = as_bob(http, "PATCH", f"{path}/{made[read]}", {"metadata": {"owner": ANN}})
        assert changed.json()["metadata"]["owner"] == BOB
        assert anns.ask("GET", f"{path}/{made[read]}").status_code == 404


def test_other_peoples_places_inside_a_body_count_for_nothing(http, anns):
    hers = {"thread_id": anns.thread, "checkpoint_id": anns.checkpoint, "checkpoint_ns": ""}
    thread = as_bob(http, "POST", "/threads", {"metadata": {"graph_id": "echo"}}).json()["thread_id"]
    said = {"messages": [{"role": "user", "content": "hello"}]}
    before = anns.snapshot()
    for path, body in (
        ("/runs/wait", {"config": {"configurable": hers}}),
        (f"/threads/{thread}/runs/wait", {"config": {"configurable": hers}}),
        (f"/threads/{thread}/runs/wait", {"context": hers}),
        (f"/threads/{thread}/runs/wait", {"checkpoint": hers}),
        (f"/threads/{thread}/state", {"checkpoint": hers, "values": said, "as_node": "echo"}),
        (f"/threads/{thread}/state/checkpoint", {"checkpoint": hers}),
        (f"/threads/{thread}/history", {"checkpoint": hers}),
    ):
        extra = {"assistant_id": "echo", "input": said} if path.endswith("wait") else {}
        answer = as_bob(http, "POST", path, {**extra, **body})
        assert MARK not in answer.text, path
    assert MARK not in as_bob(http, "GET", f"/threads/{thread}/history").text
    assert anns.snapshot() == before


def test_namespaces_are_told_apart_by_whole_labels(http):
    long = {"namespace": [f"{ANN}-and-more"], "key": "k", "value": {"text": "of somebody else"}}
    http.put("/store/items", json=long, headers=bearer(f"{ANN}-and-more")).raise_for_status()
    found = http.post("/store/items/search", json={"namespace_prefix": []}, headers=bearer(ANN)).text
    assert "somebody else" not in found
    for namespaces in ({"prefix": ["*"]}, {"prefix": [], "max_depth": 1}, {"suffix": [f"{ANN}-and-more"]}):
        answer = http.post("/store/namespaces", json=namespaces, headers=bearer(ANN))
        assert "-and-more" not in answer.text


async def test_many_users_at_once_never_see_one_another(guarded_server: ServerProcess) -> None:
    limits = httpx.Limits(max_connections=len(USERS) * REQUESTS_EACH)
    async with httpx.AsyncClient(base_url=guarded_server.url, timeout=60, limits=limits) as http:
        rounds = [a_round(http, user, number) for number in range(REQUESTS_EACH) for user in USERS]
        await asyncio.gather(*rounds)
        threads = [
            await http.post("/threads/search", json={"limit": 1000}, headers=bearer(user)) for user in USERS
        ]
    for user, found in zip(USERS, threads, strict=True):
        assert {thread["metadata"]["owner"] for thread in found.json()} == {user}
        assert len(found.json()) == REQUESTS_EACH


async def a_round(http: httpx.AsyncClient, user: str, number: int) -> None:
    """What one client does: make, run, keep, read back; all answers must be about this user."""
    headers = bearer(user)
    others = [other for other in USERS if other != user]

    async def ask(method: str, path: str, body: Any = None) -> httpx.Response:
        answer = await http.request(method, path, json=body, headers=headers)
        assert answer.is_success, (method, path, answer.text)
        assert not any(other in answer.text for other in others), (method, path, answer.text)
        return answer

    thread = (await ask("POST", "/threads", {})).json()["thread_id"]
    said = {"messages": [{"role": "user", "content": f"I am {user} for the {number}th time"}]}
    run = {"assistant_id": "echo", "input": said}
    ended = await ask("POST", f"/threads/{thread}/runs/wait", run)
    assert ended.json()["messages"][-1]["content"] == f"you said: I am {user} for the {number}th time"
    streamed = await ask(
        "POST", f"/threads/{thread}/runs/stream", {**run, "stream_mode": ["values", "debug"]}
    )
    assert user in streamed.text
    for namespace in ([user, "n"], ["memories"]):
        await ask("PUT", "/store/items", {"namespace": namespace, "key": str(number), "value": {"of": user}})
        item = await ask("GET", f"/store/items?namespace={'.'.join(namespace)}&key={number}")
        assert item.json()["value"] == {"of": user}
    await ask("POST", "/store/items/search", {"namespace_prefix": ["memories"], "limit": 1000})
    await ask("POST", "/store/namespaces", {})
    for path in ("/threads/search", "/store/items/search", "/assistants/search"):
        await ask("POST", path, {"namespace_prefix": [user]} if "store" in path else {})
    owner = (await ask("GET", f"/threads/{thread}")).json()["metadata"]["owner"]
    assert owner == user
