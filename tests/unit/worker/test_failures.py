"""What clients read of an exception."""

import json
from typing import Any

import pytest
from langgraph.errors import EmptyInputError, GraphRecursionError, InvalidUpdateError

from robyn_server.errors import NotFound
from robyn_server.resources.failure import HIDDEN_MESSAGE, public_error
from robyn_server.worker.failures import error_frame


class Mine(Exception):
    pass


class MineOfValue(ValueError):
    pass


@pytest.mark.parametrize(
    ("exception", "message"),
    [
        (ValueError("bad value"), "bad value"),
        (MineOfValue("bad value"), "bad value"),
        (KeyError("missing"), "'missing'"),
        (ValueError("a", 1), "('a', 1)"),
        (ValueError(), ""),
        (NotImplementedError("later"), "later"),
        (TimeoutError("node timeout"), "node timeout"),
        (GraphRecursionError("too deep"), "too deep"),
        (InvalidUpdateError("no"), "no"),
        (EmptyInputError("no input"), "no input"),
        (NotFound("no such thread"), "no such thread"),
    ],
)
def test_what_graphs_say_on_purpose_is_told(exception: Exception, message: str) -> None:
    assert public_error(exception) == {"error": type(exception).__name__, "message": message}


@pytest.mark.parametrize(
    "exception",
    [Mine("secret"), OSError("secret"), ZeroDivisionError("secret"), IndexError("secret"), ImportError("secret"),
     AssertionError("secret"), ConnectionError("secret"), KeyboardInterrupt("secret")],
)  # fmt: skip
def test_anything_else_is_not(exception: BaseException) -> None:
    assert public_error(exception) == {"error": type(exception).__name__, "message": HIDDEN_MESSAGE}


def test_an_http_error_of_starlette_is_told_and_a_namesake_is_not() -> None:
    namesake: Any = type("HTTPException", (Exception,), {"__module__": "starlette.exceptions"})
    assert public_error(namesake("418: tea"))["message"] == "418: tea"
    other: Any = type("HTTPException", (Exception,), {"__module__": "elsewhere"})
    assert public_error(other("418: tea"))["message"] == HIDDEN_MESSAGE


def test_a_group_of_one_is_its_member() -> None:
    assert public_error(ExceptionGroup("group", [ValueError("x")])) == {"error": "ValueError", "message": "x"}


@pytest.mark.parametrize(
    ("exception", "opening", "code"),
    [
        (ValueError("x"), False, "STREAM_ERROR"),
        (GraphRecursionError("x"), False, "RECURSION_LIMIT"),
        (TimeoutError("x"), False, "TIMEOUT"),
        (ValueError("x"), True, "AGENT_INIT_ERROR"),
    ],
)
def test_codes(exception: Exception, opening: bool, code: str) -> None:
    told = json.loads(error_frame(exception, opening=opening))
    assert told == {"error": type(exception).__name__, "message": "x", "code": code}


def test_an_error_with_odd_characters_can_be_framed() -> None:
    assert json.loads(error_frame(ValueError("a\ud800\x00b")))["message"] == "a?\ufffdb"
