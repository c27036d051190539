"""Every route x (no token, bad token, stranger, owner, operator), on a real server in mode `supabase`."""

from collections.abc import Iterator

import httpx
import pytest

from tests.auth.isolation_rows import PUBLIC, ROWS
from tests.auth.isolation_scene import Nothing, Row, Things, without_ids
from tests.auth.people import ANN, BOB, MACHINE, SERVICE, bearer

REFUSED = {
    "nobody": ({}, "Authorization header missing"),
    "another scheme": ({"authorization": "Basic YW5uOmFubg=="}, "Invalid authorization header format"),
    "a forged token": (bearer(ANN, secret="f" * 40), "Authentication error: invalid token"),
    "an expired token": (bearer(ANN, exp=1_000_000_000), "Authentication error: the token has expired"),
    "a wrong service key": ({**SERVICE, "x-api-key": "guessed"}, "Authentication error: unknown API key"),
    "a wrong API key": ({"x-api-key": "guessed"}, "Authentication error: unknown API key"),
}
STRANGERS = {"by token": bearer(BOB), "by API key": MACHINE}
by_row = pytest.mark.parametrize("row", ROWS, ids=str)


@pytest.fixture(scope="module")
def anns(http: httpx.Client) -> Iterator[Things]:
    """For requests that must change nothing."""
    things = Things(http)
    things.snapshot()
    yield things
    things.give_up()


@pytest.fixture
def fresh(http: httpx.Client) -> Iterator[Things]:
    """For requests that may."""
    things = Things(http)
    yield things
    things.give_up()


def answer(http: httpx.Client, row: Row, things: object, headers: dict[str, str]) -> tuple[int, str]:
    """Status and text; of a stream without an end the status."""
    ask = row.ask(things)
    sent = {**ask.headers, **headers}
    with http.stream(
        row.method, ask.path, json=ask.json, files=ask.files, params=ask.params, headers=sent
    ) as response:
        endless = row.endless and response.status_code == 200
        return response.status_code, "" if endless else response.read().decode()


def test_every_route_has_a_row(http: httpx.Client) -> None:
    served = {
        (method.upper(), path)
        for path, operations in http.get("/openapi.json").json()["paths"].items()
        for method in operations
    }
    rows = {(row.method, row.route) for row in ROWS}
    assert served - PUBLIC == rows
    assert PUBLIC <= served


@pytest.mark.parametrize("route", sorted(PUBLIC), ids=lambda route: route[1])
def test_what_is_public_is_for_everybody(http: httpx.Client, route: tuple[str, str]) -> None:
    assert http.request(*route).status_code == 200


@pytest.mark.parametrize("who", REFUSED)
@by_row
def test_nobody_gets_in_without_a_good_token(http: httpx.Client, anns: Things, row: Row, who: str) -> None:
    headers, detail = REFUSED[who]
    status, text = answer(http, row, anns, headers)
    assert (status, text) == (401, f'{{"detail":"{detail}"}}')


@pytest.mark.parametrize("path", ["/threads/x/y/z", "/unknown"])
def test_what_does_not_exist_is_not_told_to_strangers(http: httpx.Client, path: str) -> None:
    assert http.get(path).status_code == 401
    assert http.get(path, headers=bearer(BOB)).status_code == 404


@pytest.mark.parametrize("who", STRANGERS)
@by_row
def test_a_stranger_sees_and_changes_nothing(http: httpx.Client, anns: Things, row: Row, who: str) -> None:
    before = anns.snapshot()
    status, text = answer(http, row, anns, STRANGERS[who])
    assert status == row.stranger, text
    assert not row.seen(text), text
    assert anns.snapshot() == before


@pytest.mark.parametrize("row", [row for row in ROWS if row.like_nothing], ids=str)
def test_a_stranger_hears_what_he_hears_of_nothing(http: httpx.Client, anns: Things, row: Row) -> None:
    nothing = Nothing()
    status, text = answer(http, row, anns, bearer(BOB))
    status_of_nothing, text_of_nothing = answer(http, row, nothing, bearer(BOB))
    assert (status, without_ids(text, anns)) == (status_of_nothing, without_ids(text_of_nothing, nothing))


@by_row
def test_the_owner_is_served(http: httpx.Client, fresh: Things, row: Row) -> None:
    status, text = answer(http, row, fresh, bearer(ANN))
    assert status == row.owner, text
    assert row.seen(text) or not row.hers_shows, text


@by_row
def test_the_operator_is_served(http: httpx.Client, fresh: Things, row: Row) -> None:
    status, text = answer(http, row, fresh, SERVICE)
    assert status == row.service, text
