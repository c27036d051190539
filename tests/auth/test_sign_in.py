"""API keys and stream tickets on a real server."""

import httpx
import pytest

from tests.auth.isolation_scene import MARK, Things
from tests.auth.people import ANN, BOB, ENVIRON, MACHINE, SERVICE, bearer, token
from tests.waiting import until


def ticket(http: httpx.Client, resource: str, user: str = ANN) -> str:
    answer = http.post("/auth/stream-ticket", json={"resource": resource}, headers=bearer(user))
    assert answer.status_code == 201
    assert answer.headers["cache-control"] == "no-store"
    assert answer.json()["expires_in"] == 300
    return str(answer.json()["ticket"])


def opened(http: httpx.Client, path: str, **query: str) -> int:
    """The status with which a stream begins, asked for as an EventSource does: without headers."""
    with http.stream("GET", path, params=query) as response:
        return response.status_code


def test_a_machine_acts_for_the_user_of_its_key(http):
    made = http.post("/threads", json={}, headers=MACHINE).json()
    assert made["metadata"] == {"owner": BOB}
    assert http.get(f"/threads/{made['thread_id']}", headers=bearer(BOB)).status_code == 200
    assert http.get(f"/threads/{made['thread_id']}", headers=bearer(ANN)).status_code == 404


def test_a_token_goes_before_a_key(http):
    made = http.post("/threads", json={}, headers={**bearer(ANN), **MACHINE}).json()
    assert made["metadata"] == {"owner": ANN}


def test_a_server_may_know_machines_only(server_factory):
    environ = {**ENVIRON, "AUTH_MODE": "apikey"}
    del environ["SUPABASE_JWT_SECRET"]
    serving = server_factory(environ=environ).start()
    with serving.http() as http:
        assert http.post("/threads", json={}).json() == {"detail": "X-Api-Key header missing"}
        assert http.post("/threads", json={}, headers=bearer(ANN)).status_code == 401
        mine = http.post("/threads", json={}, headers=MACHINE).json()
        operators = http.post("/threads", json={}, headers=SERVICE).json()
        seen = http.post("/threads/search", json={}, headers=MACHINE).json()
        assert [thread["thread_id"] for thread in seen] == [mine["thread_id"]]
        assert http.get(f"/threads/{operators['thread_id']}", headers=MACHINE).status_code == 404


def test_a_ticket_opens_the_streams_of_its_thread(http, anns):
    good = ticket(http, f"thread:{anns.thread}")
    assert opened(http, f"/threads/{anns.thread}/stream", ticket=good) == 200
    run = f"/threads/{anns.thread}/runs/{anns.run}/stream"
    assert MARK in http.get(run, params={"ticket": good, "last_event_id": "-"}).text
    assert (
        http.get(run, params={"ticket": ticket(http, f"thread:{anns.thread.replace('-', '')}")}).status_code
        == 200
    )


def test_a_ticket_opens_nothing_else(http, anns):
    good = ticket(http, f"thread:{anns.thread}")
    changed = good[:-4] + ("AAAA" if good[-4:] != "AAAA" else "BBBB")
    other = anns.ask("POST", "/threads", json={}).json()["thread_id"]
    for path, bad in (
        (f"/threads/{other}/stream", good),
        (f"/threads/{anns.thread}", good),
        (f"/threads/{anns.thread}/runs", good),
        (f"/threads/{anns.thread}/stream", changed),
        (f"/threads/{anns.thread}/stream", ""),
        (f"/threads/{anns.thread}/stream", "ä"),
        (f"/threads/{anns.thread}/stream", token(ANN)),
    ):
        assert opened(http, path, ticket=bad) == 401, (path, bad)
    assert (
        http.post(f"/threads/{anns.thread}/runs/stream", params={"ticket": good}, json={}).status_code == 401
    )


def test_a_strangers_ticket_is_a_strangers(http, anns):
    assert (
        opened(http, f"/threads/{anns.thread}/stream", ticket=ticket(http, f"thread:{anns.thread}", BOB))
        == 404
    )


@pytest.mark.parametrize("resource", ["", "thread", "thread:", "thread:a b", "Thread:x", 7, None])
def test_what_names_no_resource_gets_no_ticket(http, resource):
    answer = http.post("/auth/stream-ticket", json={"resource": resource}, headers=bearer(ANN))
    assert answer.status_code == 422


def test_a_token_in_the_query_counts_only_where_it_is_allowed(http, anns, server_factory):
    assert opened(http, f"/threads/{anns.thread}/stream", access_token=token(ANN)) == 401
    serving = server_factory(environ={**ENVIRON, "ALLOW_QUERY_TOKEN": "1"}).start()
    with serving.http() as allowing:
        thread = Things(allowing).thread
        assert opened(allowing, f"/threads/{thread}/stream", access_token=token(ANN)) == 200
        assert opened(allowing, f"/threads/{thread}/stream", access_token=token(BOB)) == 404
        assert allowing.get(f"/threads/{thread}", params={"access_token": token(ANN)}).status_code == 401
        until(lambda: f"GET /threads/{thread} 401" in serving.output(), "the requests are not logged")
    assert token(ANN) not in serving.output()


def test_nothing_of_it_is_logged(http, anns, guarded_server):
    good = ticket(http, f"thread:{anns.thread}")
    opened(http, f"/threads/{anns.thread}/stream", ticket=good)
    opened(http, f"/threads/{anns.thread}/stream", ticket=f"{good}x")
    last = http.get("/nowhere", params={"ticket": good}, headers={"x-request-id": good[:8]})
    assert last.status_code == 401
    until(lambda: f"request_id={good[:8]}" in guarded_server.output(), "the requests are not logged")
    assert good not in guarded_server.output(10_000_000)
