"""The scripts at the root, as somebody runs them who has set nothing."""

import os
import subprocess
import sys

import httpx
import pytest

from tests.server_process import ROOT
from tests.waiting import free_port

USUAL = ("http://127.0.0.1:8081/ok", "http://localhost:7374/v1/models")


@pytest.fixture(autouse=True)
def nothing_is_there() -> None:
    """The scripts take what answers at the usual addresses."""
    for url in USUAL:
        try:
            httpx.get(url, timeout=2)
        except httpx.HTTPError:
            continue
        reason = f"somebody answers at {url}: end that to run this"
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)


def run(script: str, *flags: str, **environ: str) -> tuple[int, str]:
    """Exit code and what it printed."""
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **environ}
    ended = subprocess.run(
        [sys.executable, str(ROOT / script), *flags], env=environ, capture_output=True, text=True, timeout=120
    )
    return ended.returncode, ended.stdout + ended.stderr


@pytest.mark.parametrize(
    ("script", "flags", "said"),
    [
        (
            "test_robyn_manual.py",
            ("--require-answer",),
            (
                "Created user",
                "Got a JWT",
                "event: messages/partial",
                "[ai] 4",
                "Test completed successfully!",
            ),
        ),
        ("test_robyn_auth_vllm.py", (), ("Nobody gets in without a token (401)", "All checks passed!")),
    ],
)
def test_it_starts_what_it_needs_and_ends_it(
    script: str, flags: tuple[str, ...], said: tuple[str, ...]
) -> None:
    code, text = run(script, *flags)
    assert code == 0, text
    assert all(line in text for line in said), text
    started = [line.split()[-1] for line in text.splitlines() if line.startswith("   Started ")]
    assert len(started) == 3, text
    for url in started:
        with pytest.raises(httpx.ConnectError):
            httpx.get(url)


def test_a_server_that_is_named_and_not_there_is_said() -> None:
    code, text = run("test_robyn_manual.py", ROBYN_URL=f"http://127.0.0.1:{free_port()}")
    assert (code, "ConnectError" in text) == (1, True), text


def test_a_model_that_is_not_there_fails_only_where_an_answer_is_required() -> None:
    nowhere = {"VLLM_BASE_URL": f"http://127.0.0.1:{free_port()}/v1"}
    code, text = run("test_robyn_manual.py", **nowhere)
    assert (code, "event: error" in text) == (0, True), text
    assert run("test_robyn_manual.py", "--require-answer", **nowhere)[0] == 2
