"""Whatever our OpenAPI document allows or forbids: no request gets a 500, none hangs, and the server stays."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.auth.people import ENVIRON, SERVICE
from tests.http.fuzzing import KINDS, Fuzzer, Kind
from tests.http.projects import project
from tests.server_process import ServerProcess

SOAK_MINUTES_A_ROUND = 2
APP = f"{Path(__file__).parent / 'webapp.py'}:app"

START = Callable[..., ServerProcess]


def fuzz(make: START, tmp_path: Path, way: str) -> Fuzzer:
    """At work on a server that it may ruin: an open one, one that asks who calls, one with an application around."""
    if way == "guarded":
        return Fuzzer(make("--log-level", "error", environ=ENVIRON).start().url, SERVICE)
    if way == "mounted":
        config = project(tmp_path / "mounted", http={"app": APP})
        return Fuzzer(make("--log-level", "error", config=config).start().url)
    return Fuzzer(make("--log-level", "error").start().url)


@pytest.fixture
def fuzzer(request: pytest.FixtureRequest, server_factory: START, tmp_path: Path) -> Iterator[Fuzzer]:
    """See `fuzz`."""
    fuzzer = fuzz(server_factory, tmp_path, request.param)
    yield fuzzer
    fuzzer.close()


@pytest.mark.parametrize(
    ("fuzzer", "examples"), [("open", 10), ("guarded", 2), ("mounted", 2)], indirect=["fuzzer"]
)
@pytest.mark.parametrize("kind", KINDS)
def test_no_request_breaks_the_server(fuzzer: Fuzzer, kind: Kind, examples: int) -> None:
    fuzzer.run(kind, examples, repeatable=True)
    assert not fuzzer.complaints, "\n".join(fuzzer.complaints)
    assert {label for label, _ in fuzzer.answers} == {operation.label for operation in fuzzer.operations}
    assert len({label for label, status in fuzzer.answers if status < 400}) > 20


@pytest.mark.soak
@pytest.mark.parametrize("fuzzer", ["open"], indirect=True)
def test_no_request_breaks_the_server_for_long(fuzzer: Fuzzer, rounds: int) -> None:
    deadline = time.monotonic() + rounds * SOAK_MINUTES_A_ROUND * 60
    while time.monotonic() < deadline and not fuzzer.complaints:
        for kind in KINDS:
            fuzzer.run(kind, 40, repeatable=False)
    assert not fuzzer.complaints, "\n".join(fuzzer.complaints)
