"""Secrets leave the body before it is stored, and come back for the run."""

import copy

from robyn_server.auth.secrets import (
    MASK,
    NOT_GIVEN,
    is_secret_name,
    merged,
    put_back,
    take_secrets,
    unmasked,
)

BODY = {
    "assistant_id": "agent",
    "input": {"apiKeys": "stays: a graph's own input is not ours to change"},
    "config": {
        "configurable": {"apiKeys": {"OPENAI_API_KEY": "sk-1"}, "max_tokens": 5, "my_key": "m"},
        "metadata": {"x-supabase-access-token": "jwt-1", "a": 1},
        "recursion_limit": 9,
    },
    "context": {"custom_api_key": "c", "model": "x"},
    "metadata": {"supabaseAccessToken": "jwt-2", "b": 2},
}


def test_secrets_are_taken_from_each_place_and_nothing_else_is():
    before = copy.deepcopy(BODY)
    clean, secrets = take_secrets(BODY, {"my_key"})
    assert BODY == before
    assert clean == {
        "assistant_id": "agent",
        "input": BODY["input"],
        "config": {"configurable": {"max_tokens": 5}, "metadata": {"a": 1}, "recursion_limit": 9},
        "context": {"model": "x"},
        "metadata": {"b": 2},
    }
    assert secrets == {
        "configurable": {"apiKeys": {"OPENAI_API_KEY": "sk-1"}, "my_key": "m"},
        "context": {"custom_api_key": "c"},
        "metadata": {"x-supabase-access-token": "jwt-1", "supabaseAccessToken": "jwt-2"},
    }


def test_a_body_without_secrets_stays_as_it_is():
    for body in (
        {},
        {"config": None, "context": None, "metadata": None},
        {"config": {"configurable": {"a": 1}}},
    ):
        assert take_secrets(body) == (body, {})


def test_put_back_shows_the_graph_what_the_client_sent():
    clean, secrets = take_secrets(BODY, {"my_key"})
    configurable, context = put_back(clean["config"]["configurable"], clean["context"], secrets)
    assert context == {**BODY["context"], "apiKeys": {"OPENAI_API_KEY": "sk-1"}, "my_key": "m"}
    assert configurable == {
        **BODY["config"]["configurable"],
        "custom_api_key": "c",
        "x-supabase-access-token": "jwt-1",
        "supabaseAccessToken": "jwt-2",
    }
    assert clean["config"]["configurable"] == {"max_tokens": 5}


def test_put_back_without_secrets_or_context():
    assert put_back({"a": 1}, None, {}) == ({"a": 1}, None)
    assert put_back({}, None, {"context": {"apiKeys": "k"}}) == ({"apiKeys": "k"}, {"apiKeys": "k"})


def test_of_two_sources_the_nearer_one_wins_name_by_name():
    below = {"configurable": {"apiKeys": "assistant's", "custom_api_key": "c"}, "token": "old"}
    above = {"configurable": {"apiKeys": "run's"}, "metadata": {"supabaseAccessToken": "s"}, "token": "new"}
    assert merged(below, above) == {
        "configurable": {"apiKeys": "run's", "custom_api_key": "c"},
        "metadata": {"supabaseAccessToken": "s"},
        "token": "new",
    }


def test_names_are_exact():
    assert is_secret_name("apiKeys")
    assert is_secret_name("mine", ("mine",))
    assert not is_secret_name("max_tokens")
    assert not is_secret_name("token")


def test_a_mask_stands_for_what_is_kept():
    kept = {"OPENAI_API_KEY": "sk-1", "GOOGLE_API_KEY": "g-1"}
    assert unmasked(MASK, "real") == "real"
    assert unmasked("new", "real") == "new"
    assert unmasked({"OPENAI_API_KEY": MASK, "GOOGLE_API_KEY": "g-2"}, kept) == {
        "OPENAI_API_KEY": "sk-1",
        "GOOGLE_API_KEY": "g-2",
    }
    for nothing in (unmasked(MASK, NOT_GIVEN), unmasked({"a": MASK}, NOT_GIVEN), unmasked({"a": MASK}, "x")):
        assert nothing is NOT_GIVEN
    assert unmasked({}, kept) == {}


def test_what_a_run_says_of_a_secret_wins_wherever_it_says_it():
    assistants = {"configurable": {"custom_api_key": "old"}, "context": {"custom_api_key": "old"}}
    for place in ("configurable", "context"):
        secrets = merged(assistants, {place: {"custom_api_key": "new"}, "token": "t"})
        assert put_back({}, {}, secrets) == ({"custom_api_key": "new"},) * 2
        assert secrets["token"] == "t"
        masked = merged(assistants, {place: {"custom_api_key": MASK}})
        assert put_back({}, {}, masked) == ({"custom_api_key": "old"},) * 2
    assert put_back({}, {}, merged({}, {"context": {"custom_api_key": MASK}})) == ({}, {})
