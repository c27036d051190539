"""The limit of requests: who is counted, what the answers say."""

import pytest

from robyn_server.errors import Refused, Unavailable
from robyn_server.events.counters import InProcessCounters
from robyn_server.resources.caller import ANONYMOUS, Caller
from robyn_server.web.rate_limit import RateLimit, who
from robyn_server.web.routing import Request


def request(caller: Caller = ANONYMOUS, client: str = "203.0.113.7", forwarded: str | None = None) -> Request:
    headers = {} if forwarded is None else {"x-forwarded-for": forwarded}
    return Request("GET", "/threads", {}, {}, headers, b"", None, caller=caller, client=client)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("asked", "counted"),
    [
        (request(Caller("ada"), "203.0.113.7"), "user:ada"),
        (request(), "address:203.0.113.7"),
        (request(client="127.0.0.1", forwarded="198.51.100.1, 203.0.113.9"), "address:203.0.113.9"),
        (request(client="10.1.2.3", forwarded="203.0.113.9"), "address:203.0.113.9"),
        (request(client="10.1.2.3"), "address:10.1.2.3"),
        # Only a proxy is believed; a stranger may write what it likes.
        (request(client="8.8.8.8", forwarded="203.0.113.9"), "address:8.8.8.8"),
        (request(client=""), "address:"),
    ],
)
def test_whose_request_it_is(asked: Request, counted: str) -> None:
    assert who(asked) == counted


async def test_the_request_after_the_last_is_refused_and_told_when_to_come_back() -> None:
    limit = RateLimit(InProcessCounters(), per_minute=3)
    asked = [request(Caller("ada")) for _ in range(8)]
    spent, refused = [], []
    for one in asked:
        try:
            spent.append(await limit.spend(one))
        except Refused as error:
            refused.append(error)
    # When a minute of the clock ends in between, it is counted anew.
    assert [headers["x-ratelimit-remaining"] for headers in spent[:3]] == ["2", "1", "0"]
    assert refused
    told = refused[0]
    assert told.status == 429
    assert set(told.headers) == {
        "retry-after",
        "x-ratelimit-limit",
        "x-ratelimit-remaining",
        "x-ratelimit-reset",
    }
    assert 1 <= int(told.headers["retry-after"]) <= 60
    assert (await limit.spend(request(Caller("bob"))))["x-ratelimit-remaining"] == "2"


class Away:
    """Counters that cannot be reached."""

    def __init__(self) -> None:
        self.asked = 0

    async def add(self, key: str, keep_seconds: int) -> int:
        self.asked += 1
        raise Unavailable("gone")

    async def close(self) -> None:
        raise AssertionError("Nobody closed it here")


async def test_without_counters_requests_pass_and_do_not_wait_for_them_each() -> None:
    away = Away()
    limit = RateLimit(away, per_minute=1)
    assert [await limit.spend(request()) for _ in range(20)] == [{}] * 20
    assert away.asked < 20


async def test_counters_forget() -> None:
    counters = InProcessCounters()
    assert [await counters.add("a", 60) for _ in range(3)] == [1, 2, 3]
    assert [await counters.add("b", 0) for _ in range(3)] == [1, 1, 1]
