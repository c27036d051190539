"""What clients read when a body is wrong: the validator's words."""

import jsonschema_rs
import pytest

from robyn_server.errors import Unprocessable
from robyn_server.surfaces.langgraph.schemas import SCHEMAS, check_config


def message(name: str, body: object) -> str | None:
    whole = {**SCHEMAS[name], "components": {"schemas": SCHEMAS}}
    error = next(iter(jsonschema_rs.validator_for(whole).iter_errors(body)), None)
    return None if error is None else str(error)


def test_required():
    assert message("AssistantCreate", {}) == (
        '"graph_id" is a required property\n\nFailed validating "required" in schema\n\nOn instance:\n    {}'
    )


@pytest.mark.parametrize(
    ("name", "body", "first_line"),
    [
        ("AssistantCreate", {"graph_id": "g", "metadata": None}, 'null is not of type "object"'),
        ("ThreadSearchRequest", {"limit": 0}, "0 is less than the minimum of 1"),
        ("ThreadSearchRequest", {"limit": 1001}, "1001 is greater than the maximum of 1000"),
        ("ThreadSearchRequest", {"limit": 1.5}, '1.5 is not of type "integer"'),
        ("ThreadCreate", {"if_exists": "replace"}, '"replace" is not one of "raise" or "do_nothing"'),
        ("ThreadCreate", {"ttl": 5}, '5 is not of type "object"'),
        (
            "AssistantSearchRequest",
            {"select": ["nope"]},
            '"nope" is not one of "assistant_id", "graph_id" or 8 other candidates',
        ),
        (
            "RunCreateStateful",
            {"assistant_id": "a", "stream_mode": "zap"},
            "\"zap\" is not valid under any of the schemas listed in the 'anyOf' keyword",
        ),
        (
            "StorePutRequest",
            {"namespace": ["a"], "key": "k", "value": {}, "index": True},
            "true is not valid",
        ),
        ("RunBatchCreate", [], "[] has less than 1 item"),
    ],
)
def test_first_lines(name: str, body: object, first_line: str):
    assert (message(name, body) or "").startswith(first_line)


def test_the_path_leads_through_shared_schemas():
    body = {"supersteps": [{"updates": [{"values": {}}]}]}
    assert 'in schema["components"]["schemas"]["ThreadSuperstepUpdate"]' in (
        message("ThreadCreate", body) or ""
    )


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("AssistantCreate", {"graph_id": "g", "description": None, "unknown": 1}),
        ("ThreadSearchRequest", {"limit": 2.0}),
        ("RunCreateStateful", {"assistant_id": "g", "input": None, "command": None}),
        ("CronPatch", {"end_time": None}),
        ("StoreSearchRequest", {"namespace_prefix": [], "filter": None, "query": None}),
        ("ThreadStateUpdate", {"values": None}),
    ],
)
def test_what_passes(name: str, body: object):
    assert message(name, body) is None


def test_no_nul_in_configuration_keys():
    assert 'does not match "^' in (
        message("AssistantCreate", {"graph_id": "g", "context": {"a\0b": 1}}) or ""
    )
    with pytest.raises(Unprocessable, match=r'in schema\["properties"\]\["tags"\]'):
        check_config({"config": {"tags": "x"}})


def test_every_reference_leads_somewhere():
    for name, schema in SCHEMAS.items():
        jsonschema_rs.validator_for({**schema, "components": {"schemas": SCHEMAS}})
        assert name.isidentifier()
