"""What a person sees when the server is ready."""

import json
import shlex

import pytest

from robyn_server.banner import banner
from robyn_server.settings import Settings


def test_the_banner_names_what_is_served_and_what_to_type() -> None:
    shown = banner(Settings(mount_prefix="/agents"), ["agent", "other"], "SQLite in .data")
    for said in (
        "http://127.0.0.1:8081/agents\n",
        "agent, other",
        "SQLite in .data",
        "nobody is asked",
        "http://127.0.0.1:8081/agents/docs",
    ):
        assert said in shown
    command = shlex.split(shown.splitlines()[-2])
    assert command[:3] == ["curl", "-N", "http://127.0.0.1:8081/agents/runs/stream"]
    assert json.loads(command[-1])["assistant_id"] == "agent"


def test_a_token_is_asked_for_where_one_is_needed() -> None:
    assert '-H "Authorization: Bearer $TOKEN"' in banner(Settings(auth_mode="custom"), ["agent"], "SQLite")


@pytest.mark.parametrize(
    ("host", "url"),
    [("0.0.0.0", "http://127.0.0.1:1"), ("::", "http://[::1]:1"), ("10.0.0.7", "http://10.0.0.7:1")],
)
def test_the_address_is_one_that_can_be_called(host: str, url: str) -> None:
    assert Settings(host=host, port=1).own_url == url
