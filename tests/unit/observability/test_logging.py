"""Log lines and what must not stand in them."""

import json
import logging
import sys

import pytest

from robyn_server.observability.logging import ConsoleLines, JsonLines
from robyn_server.observability.redaction import HIDDEN, Redaction

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ1c2VyLTEifQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r"
KEY = "sk-proj-abcdefghijklmnop1234"


def record(message: str, *arguments: object, **extra: object) -> logging.LogRecord:
    made = logging.LogRecord(
        "robyn_server.worker.executor", logging.INFO, __file__, 1, message, arguments, None
    )
    vars(made).update(extra)
    return made


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        (f"Bearer {JWT}!", f"Bearer {HIDDEN}!"),
        (f"key={KEY}", f"key={HIDDEN}"),
        ("{'custom_api_key': 'abc', 'max_tokens': 5}", f"{{'custom_api_key': '{HIDDEN}', 'max_tokens': 5}}"),
        ('{"apiKeys": {"OPENAI_API_KEY": "x"}}', f"{{\"apiKeys\": '{HIDDEN}'}}"),
        ("{'mine': \"it's\"}", f"{{'mine': '{HIDDEN}'}}"),
        ("the token sk-short and 'token': 'kept'", "the token sk-short and 'token': 'kept'"),
    ],
)
def test_secrets_in_a_message(said: str, shown: str) -> None:
    assert Redaction(["mine"]).text(said) == shown


def test_secrets_in_values_go_by_exact_names() -> None:
    value = {
        "apiKeys": {"a": 1},
        "max_tokens": 9,
        "token": "kept",
        "langgraph_auth_user": {"token": "gone", "identity": "me"},
        "list": [KEY],
    }
    assert Redaction().value(value) == {
        "apiKeys": HIDDEN,
        "max_tokens": 9,
        "token": "kept",
        "langgraph_auth_user": {"token": HIDDEN, "identity": "me"},
        "list": [HIDDEN],
    }


def test_a_json_line_carries_extra_fields_and_no_secret() -> None:
    line = json.loads(JsonLines(Redaction()).format(record("Run of %s", KEY, run_id="r1", request_id=None)))
    assert line.pop("time").endswith("+00:00")
    assert line == {
        "level": "INFO",
        "logger": "robyn_server.worker.executor",
        "message": f"Run of {HIDDEN}",
        "run_id": "r1",
    }


def test_an_exception_is_told_without_secrets() -> None:
    try:
        raise ValueError(f"bad key {KEY}")
    except ValueError:
        failed = record("Run failed", exc_info=sys.exc_info())
    assert f"ValueError: bad key {HIDDEN}" in ConsoleLines(Redaction()).format(failed)
    assert f"ValueError: bad key {HIDDEN}" in json.loads(JsonLines(Redaction()).format(failed))["exception"]


def test_a_console_line_reads_well() -> None:
    line = ConsoleLines(Redaction()).format(record("Run ended", run_id="r1"))
    assert line[12:] == " INFO    worker.executor  Run ended  run_id=r1"
