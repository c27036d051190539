"""What was answered with 2xx is there after a kill -9 right after the answer."""

from collections.abc import Callable, Iterator
from itertools import cycle, islice

import httpx
import pytest

from tests.server_process import ServerProcess

WRITES = 50

Check = Callable[[httpx.Client], bool]
Write = Callable[[httpx.Client, int], Check]


def created(client: httpx.Client, path: str, body: object) -> dict[str, str]:
    answer = client.post(path, json=body)
    assert answer.status_code == 200, answer.text
    found: dict[str, str] = answer.json()
    return found


def thread(client: httpx.Client, number: int) -> Check:
    """Create a thread."""
    thread_id = created(client, "/threads", {"metadata": {"number": number}})["thread_id"]
    return lambda later: later.get(f"/threads/{thread_id}").json()["metadata"] == {"number": number}


def state(client: httpx.Client, number: int) -> Check:
    """Update the state of a thread."""
    thread_id = created(client, "/threads", {"metadata": {"graph_id": "steps"}})["thread_id"]
    created(client, f"/threads/{thread_id}/state", {"values": {"log": [number]}})
    return lambda later: later.get(f"/threads/{thread_id}/state").json()["values"] == {"log": [number]}


def item(client: httpx.Client, number: int) -> Check:
    """Put an item into the store."""
    key = f"item{number}"
    answer = client.put("/store/items", json={"namespace": ["kill"], "key": key, "value": {"number": number}})
    assert answer.status_code in (200, 204), answer.text

    def kept(later: httpx.Client) -> bool:
        found = later.get("/store/items", params={"namespace": "kill", "key": key})
        return found.status_code == 200 and found.json()["value"] == {"number": number}

    return kept


def run(client: httpx.Client, number: int) -> Check:
    """Create a run, which has to come to its end as well."""
    thread_id = created(client, "/threads", {})["thread_id"]
    body = {"assistant_id": "steps", "input": {"log": [number]}}
    run_id = created(client, f"/threads/{thread_id}/runs", body)["run_id"]

    def kept(later: httpx.Client) -> bool:
        values = later.get(f"/threads/{thread_id}/runs/{run_id}/join").json()
        status = later.get(f"/threads/{thread_id}/runs/{run_id}").json()["status"]
        return bool(status == "success" and values == {"log": [number, "one", "two", "three"]})

    return kept


def assistant(client: httpx.Client, number: int) -> Check:
    """Create an assistant."""
    assistant_id = created(client, "/assistants", {"graph_id": "echo", "name": f"a{number}"})["assistant_id"]
    return lambda later: later.get(f"/assistants/{assistant_id}").json()["name"] == f"a{number}"


KINDS: tuple[Write, ...] = (thread, state, item, run, assistant)


def write_and_kill(server: ServerProcess, writes: Iterator[Write], victim: Callable[[], None]) -> None:
    """Write, kill at the last answer, look for everything."""
    with server.http() as client:
        checks = [write(client, number) for number, write in enumerate(writes)]
        victim()
    server.is_back()
    with server.http() as later:
        lost = [number for number, kept in enumerate(checks) if not kept(later)]
    assert not lost


def test_answered_writes_survive(server_factory: Callable[..., ServerProcess]) -> None:
    server = server_factory().start()
    write_and_kill(server, islice(cycle(KINDS), WRITES), server.kill_server)
    server.stop()


@pytest.mark.parametrize("write", KINDS, ids=[kind.__name__ for kind in KINDS])
def test_a_single_write_survives(server_factory: Callable[..., ServerProcess], write: Write) -> None:
    server = server_factory().start()
    write_and_kill(server, iter([write]), server.kill_server)


@pytest.mark.soak
def test_answered_writes_survive_again_and_again(
    server_factory: Callable[..., ServerProcess], rounds: int
) -> None:
    server = server_factory().start()
    for number in range(rounds):
        kinds = islice(cycle(KINDS), number % len(KINDS), WRITES + number)
        write_and_kill(server, kinds, server.kill_server)
    server.stop()
