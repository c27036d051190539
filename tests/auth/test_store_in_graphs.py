"""What graph code sees of the store is what its caller sees over HTTP."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.auth.people import ANN, BOB, ENVIRON, MACHINE, SERVICE, bearer
from tests.server_process import ServerProcess

PROJECT = Path(__file__).parent / "project" / "langgraph.json"
ROBOT = "reports-bot"
ROBOTS_KEY = "the-key-of-a-robot"
ROBOTS = {"x-api-key": ROBOTS_KEY}


@pytest.fixture
def http(server_factory: Callable[..., ServerProcess]):
    robot = f"{hashlib.sha256(ROBOTS_KEY.encode()).hexdigest()}:{ROBOT}"
    environ = {**ENVIRON, "API_KEYS": f"{ENVIRON['API_KEYS']},{robot}"}
    with server_factory(config=PROJECT, environ=environ).start().http() as client:
        yield client


def asked(http: httpx.Client, who: dict[str, str], path: str, body: Any) -> Any:
    answer = http.post(path, json=body, headers=who)
    assert answer.is_success, answer.text
    return answer.json()


def run(http: httpx.Client, who: dict[str, str], text: str, *namespace: str) -> Any:
    body = {"assistant_id": "librarian", "input": {"namespace": list(namespace), "text": text}}
    return asked(http, who, "/runs/wait", body)


def texts(http: httpx.Client, who: dict[str, str], *prefix: str) -> set[str]:
    found = asked(http, who, "/store/items/search", {"namespace_prefix": list(prefix), "limit": 100})
    return {item["value"]["text"] for item in found["items"]}


def test_one_name_holds_everybodys_own(http: httpx.Client) -> None:
    for who, text in ((bearer(ANN), "ann's"), (MACHINE, "bob's"), (ROBOTS, "the robot's")):
        ended = run(http, who, text, "memories", "facts")
        assert ended["told"] == [text, [["memories", "facts"]]]
        assert ended["messages"][-1]["content"] == ", ".join([text] * 3)
    for who, text in ((bearer(ANN), "ann's"), (bearer(BOB), "bob's"), (ROBOTS, "the robot's")):
        assert texts(http, who) == texts(http, who, "memories") == {text}
        (item,) = {
            http.get("/store/items", params={"namespace": "memories.facts", "key": key}, headers=who).json()[
                "value"
            ]["text"]
            for key in ("on the loop", "in a thread", "by the tool")
        }
        assert item == text
    assert texts(http, SERVICE, "memories") == {"ann's", "bob's", "the robot's"}


def test_a_namespace_of_somebody_else_is_refused(http: httpx.Client) -> None:
    run(http, bearer(ANN), "ann's", ANN, "notes")
    run(http, ROBOTS, "the robot's", ROBOT)
    for who, foreign in ((bearer(BOB), ANN), (bearer(BOB), ROBOT), (ROBOTS, ANN)):
        assert run(http, who, "taken", foreign, "notes") == {
            "__error__": {
                "error": "PermissionError",
                "message": "An internal error occurred",
            }
        }
        body = {"namespace": [foreign, "notes"], "key": "k", "value": {"text": "taken"}}
        answer = http.put("/store/items", json=body, headers=who)
        assert (answer.status_code, answer.json()) == (
            403,
            {"detail": "This namespace belongs to somebody else"},
        )
        assert texts(http, who, foreign) == set()
    assert texts(http, SERVICE) == {"ann's", "the robot's"}


def test_the_operators_runs_see_all(http: httpx.Client) -> None:
    run(http, bearer(ANN), "ann's", "memories")
    ended = run(http, SERVICE, "the operator's", "memories")
    # What he writes is where he would read it: in Ann's items, and no others beside them.
    assert ended["messages"][-1]["content"] == ", ".join(["the operator's"] * 3)
    assert texts(http, bearer(ANN)) == {"the operator's"}
