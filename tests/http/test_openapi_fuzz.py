"""Whatever our OpenAPI document allows or forbids: no request gets a 500, none hangs, and the server stays."""

import time
from collections.abc import Callable, Iterator

import pytest

from tests.http.fuzzing import KINDS, Fuzzer, Kind
from tests.server_process import ServerProcess

SOAK_MINUTES_A_ROUND = 2


@pytest.fixture
def fuzzer(server_factory: Callable[..., ServerProcess]) -> Iterator[Fuzzer]:
    """At work on a server that it may ruin."""
    fuzzer = Fuzzer(server_factory("--log-level", "error").start().url)
    yield fuzzer
    fuzzer.close()


@pytest.mark.parametrize("kind", KINDS)
def test_no_request_breaks_the_server(fuzzer: Fuzzer, kind: Kind) -> None:
    fuzzer.run(kind, 10, repeatable=True)
    assert not fuzzer.complaints, "\n".join(fuzzer.complaints)
    assert fuzzer.sent > 300


@pytest.mark.soak
def test_no_request_breaks_the_server_for_long(fuzzer: Fuzzer, rounds: int) -> None:
    deadline = time.monotonic() + rounds * SOAK_MINUTES_A_ROUND * 60
    while time.monotonic() < deadline and not fuzzer.complaints:
        for kind in KINDS:
            fuzzer.run(kind, 40, repeatable=False)
    assert not fuzzer.complaints, "\n".join(fuzzer.complaints)
