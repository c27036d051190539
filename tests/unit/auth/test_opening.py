"""Which authentication the settings open."""

import pytest
from langgraph_sdk import Auth as Handlers

from robyn_server.auth.interfaces import Credentials
from robyn_server.auth.opening import open_auth
from robyn_server.auth.recent import Recent
from robyn_server.errors import StartupError
from robyn_server.resources.caller import ANONYMOUS
from robyn_server.settings import Settings


async def test_mode_none_lets_everybody_do_everything():
    auth = open_auth(Settings())
    assert auth.mode == "none"
    assert await auth.authenticate(Credentials("GET", "/", {}, {}, {})) is ANONYMOUS
    assert (await auth.authorize(ANONYMOUS, "threads", "delete", {})).is_everything


def test_the_mode_chooses():
    assert open_auth(Settings(auth_mode="supabase", supabase_url="http://x")).mode == "supabase"
    handlers = Handlers()
    handlers.authenticate(lambda: "ann")
    assert open_auth(Settings(auth_mode="custom"), handlers, {"disable_studio_auth": True}).mode == "custom"
    with pytest.raises(StartupError):
        open_auth(Settings(auth_mode="supabase"))
    with pytest.raises(StartupError, match=r"auth\.path"):
        open_auth(Settings(auth_mode="custom"))


def test_what_is_remembered_is_bounded_and_ends():
    recent: Recent[str] = Recent(2)
    for key in (b"a", b"b", b"c"):
        recent.put(key, key.decode(), until=10)
    assert (recent.get(b"a", 0), recent.get(b"c", 9.9), recent.get(b"c", 10)) == (None, "c", None)
    assert len(recent) == 1
