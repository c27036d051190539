"""Commands of the thread protocol, as they come in."""

from typing import Any

import pytest

from robyn_server.wire.protocol_v2.commands import (
    MalformedCommand,
    ProtocolError,
    read_command,
    read_respond,
    read_run_start,
)

CHECKPOINT = "1f1e4c8c-8a23-6c1a-bfff-516ebb45e773"


@pytest.mark.parametrize(
    ("body", "echoed"),
    [
        ([], None),
        (5, None),
        ({}, None),
        ({"id": "1", "method": "m"}, "1"),
        ({"id": 1}, 1),
        ({"id": 1, "method": 5}, 1),
    ],
)
def test_what_is_no_command_echoes_its_id(body: Any, echoed: Any) -> None:
    with pytest.raises(MalformedCommand) as raised:
        read_command(body)
    assert raised.value.id == echoed


def test_params_that_are_no_object_are_none() -> None:
    assert read_command({"id": 1, "method": "run.start", "params": [5]}).params == {}


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({}, "run.start requires an assistant_id."),
        ({"assistant_id": 5}, "run.start requires an assistant_id."),
        ({"config": {"configurable": 5}}, "config.configurable must be an object."),
        ({"config": {"configurable": {"checkpoint_id": " "}}}, "must be a non-empty string."),
        (
            {"config": {"configurable": {"checkpoint_id": "zzz"}}},
            "Invalid config.configurable.checkpoint_id: 'zzz'.",
        ),
        ({"metadata": 5}, "metadata must be an object."),
        ({"langsmith_tracer": 5}, "langsmith_tracer must be an object."),
        ({"langsmith_tracer": {"x": 1}}, "langsmith_tracer has unsupported fields: ['x']."),
        ({"langsmith_tracer": {"project_name": 5}}, "langsmith_tracer.project_name must be a string."),
    ],
)
def test_a_start_that_cannot_be(params: dict[str, Any], message: str) -> None:
    given = params if "assistant_id" in params or not params else {"assistant_id": "a", **params}
    with pytest.raises(ProtocolError) as raised:
        read_run_start(given)
    assert raised.value.code == "invalid_argument"
    assert message in raised.value.message


def test_a_start() -> None:
    config = {"configurable": {"checkpoint_id": CHECKPOINT}, "tags": ["t"]}
    start = read_run_start({"assistant_id": "a", "input": 1, "config": config, "multitaskStrategy": "reject"})
    assert (start.assistant_id, start.input, start.config, start.strategy) == ("a", 1, config, "reject")
    assert read_run_start({"assistant_id": "a", "config": 5}).config == {}


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({}, "input.respond requires an interrupt_id."),
        ({"interrupt_id": 5}, "input.respond requires an interrupt_id."),
        (
            {"interrupt_id": "x", "namespace": "y"},
            "input.respond requires namespace to be a list of strings.",
        ),
        ({"responses": []}, "input.respond requires at least one response."),
        ({"responses": ["x"]}, "input.respond responses entries must be objects."),
        ({"responses": [{"response": 1}]}, "input.respond responses entries require an interrupt_id."),
        ({"responses": [{"interrupt_id": "x", "namespace": 1}]}, "namespace to be a list of strings."),
    ],
)
def test_an_answer_that_cannot_be(params: dict[str, Any], message: str) -> None:
    with pytest.raises(ProtocolError) as raised:
        read_respond(params)
    assert message in raised.value.message


def test_answers() -> None:
    assert read_respond({"interrupt_id": "x", "response": 1, "namespace": []}).responses == {"x": 1}
    many = [{"interrupt_id": "x", "response": 1}, {"interrupt_id": "y", "response": None}]
    respond = read_respond({"responses": many, "update": {"a": 1}, "goto": "b"})
    assert (respond.responses, respond.update, respond.goto) == ({"x": 1, "y": None}, {"a": 1}, "b")
