"""`tools_agent/security/auth.py`, run by our server's custom mode against the Supabase stand-in."""

import pytest

from robyn_server.auth.custom import CustomAuth
from robyn_server.auth.interfaces import Credentials
from robyn_server.auth.service_key import ServiceKeys
from robyn_server.errors import Forbidden, Refused, Unauthenticated
from robyn_server.resources.caller import Caller
from tools_agent.security.auth import auth as handlers

ANN = Caller("ann", user={"identity": "ann"})


def make_auth() -> CustomAuth:
    return CustomAuth(handlers, ServiceKeys(("key",)))


def asking(authorization: str | None = None, **headers: str) -> Credentials:
    named = dict(headers) | ({"authorization": authorization} if authorization else {})
    return Credentials("GET", "/threads", {}, {}, named)


async def test_supabase_says_who_is_calling(start_supabase, monkeypatch):
    supabase = start_supabase()
    monkeypatch.setenv("SUPABASE_URL", supabase.url)
    monkeypatch.setenv("SUPABASE_KEY", "anon")
    caller = await make_auth().authenticate(asking(f"Bearer {supabase.token()}"))
    assert caller.user["email"] == "ann@example.org"
    for authorization, text in (
        (None, "Authorization header missing"),
        ("Basic x", "Invalid authorization header format"),
        ("Bearer x.y.z", "Authentication error: the token was refused"),
    ):
        with pytest.raises(Unauthenticated, match=text):
            await make_auth().authenticate(asking(authorization))


async def test_without_supabase_nobody_is_let_in(monkeypatch):
    monkeypatch.delenv("SUPABASE_URL", raising=False)
    with pytest.raises(Refused, match="Supabase client not initialized"):
        await make_auth().authenticate(asking("Bearer x"))


@pytest.mark.parametrize("action", ["create", "create_run", "read", "update", "delete", "search"])
async def test_threads_runs_and_crons_are_their_owners(action):
    value = {"metadata": {"owner": "bob"}}
    for resource in ("threads", "crons"):
        allowed = await make_auth().authorize(ANN, resource, action, value)
        assert allowed.equal == {"owner": "ann"}
    if action in ("create", "create_run", "update"):
        assert value["metadata"] == {"owner": "ann"}


async def test_assistants_of_the_system_are_for_all_and_cannot_be_imitated():
    read = await make_auth().authorize(ANN, "assistants", "read", {})
    assert read.allows({"created_by": "system"})
    assert not read.allows({"owner": "bob"})
    assert not (await make_auth().authorize(ANN, "assistants", "update", {})).allows({"created_by": "system"})
    value = {"metadata": {"created_by": "system", "a": 1}}
    await make_auth().authorize(ANN, "assistants", "create", value)
    assert value == {"metadata": {"owner": "ann", "a": 1}}


async def test_the_store_is_divided_by_the_first_label():
    auth = make_auth()
    assert (await auth.authorize(ANN, "store", "put", {"namespace": ("ann", "x")})).is_everything
    for namespace in (("bob",), (), None):
        with pytest.raises(Forbidden, match="somebody else"):
            await auth.authorize(ANN, "store", "get", {"namespace": namespace})


async def test_the_studio_sees_everything():
    headers = {"x-auth-scheme": "langsmith", "x-api-key": "key"}
    studio = await make_auth().authenticate(asking(**headers))
    for resource in ("threads", "assistants", "crons", "store"):
        assert (await make_auth().authorize(studio, resource, "search", {})).is_everything
