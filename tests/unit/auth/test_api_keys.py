"""Keys of machines: who they are, and how the operator writes them down."""

import hashlib

import pytest

from robyn_server.auth.api_keys import ApiKeys
from robyn_server.errors import StartupError, Unauthenticated
from robyn_server.settings import read_settings

DIGEST = hashlib.sha256(b"bot-key").hexdigest()
ADMINS = hashlib.sha256(b"admin-key").hexdigest()
WRITTEN = f"{DIGEST}:bot, {ADMINS.upper()}:urn:people:ann:admin"


def read(value: str, **more: str):
    return read_settings({"config_path": "/nonexistent/langgraph.json"}, {"API_KEYS": value, **more})


def test_a_key_stands_for_its_user():
    keys = ApiKeys(read(WRITTEN).api_keys)
    bot = keys.caller({"x-api-key": "bot-key"})
    assert (bot.identity, bot.permissions, bot.is_service) == ("bot", ("authenticated",), False)
    admin = keys.caller({"x-api-key": "admin-key"})
    assert (admin.identity, admin.user["permissions"]) == ("urn:people:ann", ["authenticated", "admin"])
    assert keys.caller({}) is None
    with pytest.raises(Unauthenticated, match="unknown API key"):
        keys.caller({"x-api-key": DIGEST})


@pytest.mark.parametrize("value", ["the-key-itself:bot", DIGEST, f"{DIGEST}:", f"{DIGEST}::admin"])
def test_what_cannot_be_read_is_refused_without_repeating_it(value):
    with pytest.raises(StartupError, match="API_KEYS cannot be used") as caught:
        read(value)
    assert value not in str(caught.value)


def test_keys_alone_mean_that_callers_are_asked():
    assert read(WRITTEN).auth_mode == "apikey"
    assert read(WRITTEN, SUPABASE_JWT_SECRET="s").auth_mode == "supabase"
    assert read("", AUTH_MODE="none").auth_mode == "none"
    with pytest.raises(StartupError, match="AUTH_MODE=apikey needs API_KEYS"):
        read("", AUTH_MODE="apikey")
