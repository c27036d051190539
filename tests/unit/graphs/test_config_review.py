"""What of a langgraph.json is unknown, unused or wrong."""

from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from robyn_server.environment import read_object
from robyn_server.graphs.config_review import unknown_keys, unused_keys, wrong_values
from robyn_server.graphs.config_schema import SCHEMA

EVERYTHING: dict[str, Any] = {
    "$schema": "https://langgra.ph/schema.json",
    "dependencies": ["."],
    "graphs": {
        "agent": "./agent.py:graph",
        "other": {"path": "pkg.mod:graph", "description": "Does things."},
    },
    "env": {"A": "1"},
    "auth": {
        "path": "./auth.py:auth",
        "disable_studio_auth": True,
        "openapi": {"securitySchemes": {}, "security": []},
    },
    "store": {
        "index": {"embed": "openai:text-embedding-3-small", "dims": 1536, "fields": ["$"]},
        "ttl": {"refresh_on_read": True, "default_ttl": 10.5, "sweep_interval_minutes": 5},
        "path": "./store.py:store",
    },
    "checkpointer": {
        "ttl": {"strategy": "delete", "default_ttl": 43200, "sweep_interval_minutes": 10, "sweep_limit": 5},
        "backend": "custom",
        "path": "./saver.py:saver",
        "serde": {
            "allowed_json_modules": [["pkg", "mod", "Type"]],
            "allowed_msgpack_modules": True,
            "pickle_fallback": False,
        },
    },
    "http": {
        "app": "./app.py:app",
        "cors": {"allow_origins": ["*"], "allow_credentials": False, "max_age": 0},
        "configurable_headers": {"includes": ["x-*"], "excludes": None},
        "middleware_order": "auth_first",
        "disable_store": True,
        "mount_prefix": "/api",
    },
    "webhooks": {
        "url": {"require_https": True, "allowed_domains": ["*.example.com"], "allowed_ports": [443]},
        "headers": {"authorization": "Bearer ${{ env.LG_WEBHOOK_TOKEN }}"},
        "env_prefix": "LG_WEBHOOK_",
    },
    "encryption": {"path": "./encryption.py:encryption"},
}

PROJECTS = ("langgraph.json", "tests/project/langgraph.json")


def test_the_schema_is_one() -> None:
    jsonschema_rs.meta.validate(SCHEMA)


def test_a_file_with_all_that_is_used_has_no_remarks() -> None:
    assert (*unknown_keys(EVERYTHING), *unused_keys(EVERYTHING), *wrong_values(EVERYTHING)) == ()


@pytest.mark.parametrize("name", PROJECTS)
def test_our_own_files_have_none(name: str) -> None:
    raw = read_object(Path(__file__).parents[3] / name)
    assert (*unknown_keys(raw), *wrong_values(raw)) == ()


@pytest.mark.parametrize(
    "section", ["auth", "store", "checkpointer", "http", "webhooks", "encryption", "env"]
)
def test_null_is_like_nothing(section: str) -> None:
    assert (*unknown_keys({section: None}), *wrong_values({section: None})) == ()


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        ({"strore": {}}, 'Unknown key "strore" in langgraph.json is ignored. Did you mean "store"?'),
        ({"qqq": 1}, 'Unknown key "qqq" in langgraph.json is ignored.'),
        ({"http": {"cor": {}}}, 'Unknown key "http.cor" in langgraph.json is ignored. Did you mean "cors"?'),
        ({"graphs": {"a": {"path": "x:y", "desc": "z"}}}, 'Unknown key "graphs.a.desc" in langgraph.json is ignored.'),
    ],
)  # fmt: skip
def test_unknown_keys_are_named_at_every_level(raw: dict[str, Any], says: str) -> None:
    (sentence,) = unknown_keys(raw)
    assert sentence.startswith(says)


def test_names_of_ones_own_are_not_keys() -> None:
    own = {
        "webhooks": {"headers": {"x-any": "1"}},
        "env": {"ANY": "1"},
        "auth": {"openapi": {"paths": {"/x": {}}}},
    }
    assert unknown_keys(own) == ()


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        ({"dependencies": "."}, '"dependencies" in langgraph.json must be a list: correct it.'),
        ({"dependencies": [1]}, '"dependencies.0" in langgraph.json must be a text: correct it.'),
        ({"graphs": {"a": 1}}, '"graphs.a" in langgraph.json must be a text or an object: correct it.'),
        ({"graphs": {"a": {}}}, '"graphs.a" in langgraph.json must be an object with a "path": correct it.'),
        (
            {"checkpointer": {"ttl": {"strategy": "drop"}}},
            '"checkpointer.ttl.strategy" in langgraph.json must be "delete" or "keep_latest": correct it.',
        ),
        (
            {"store": {"ttl": {"default_ttl": 0}}},
            '"store.ttl.default_ttl" in langgraph.json must be a number above 0: correct it.',
        ),
        (
            {"webhooks": {"url": {"allowed_ports": [99999]}}},
            '"webhooks.url.allowed_ports.0" in langgraph.json must be a whole number from 1 to 65535: correct it.',
        ),
        (
            {"webhooks": {"headers": {"authorization": 1}}},
            '"webhooks.headers.authorization" in langgraph.json must be a text: correct it.',
        ),
    ],
)
def test_values_of_a_wrong_kind_are_named(raw: dict[str, Any], says: str) -> None:
    assert wrong_values(raw) == (says,)
