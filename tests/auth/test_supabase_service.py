"""`SupabaseAuth` against a running stand-in: public keys, rotation, look-up."""

import time
from datetime import timedelta

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from robyn_server.auth.interfaces import Credentials
from robyn_server.auth.supabase import SupabaseAuth
from robyn_server.errors import Unauthenticated, Unavailable
from robyn_server.settings import Settings

JWKS = "/auth/v1/.well-known/jwks.json"
USER = "/auth/v1/user"


def asking(token: str) -> Credentials:
    return Credentials("GET", "/threads", {}, {}, {"authorization": f"Bearer {token}"})


@pytest.mark.parametrize("algorithm", ["ES256", "RS256"])
async def test_a_token_is_checked_with_the_projects_public_keys_fetched_once(start_supabase, algorithm):
    supabase = start_supabase("--algorithm", algorithm)
    auth = SupabaseAuth(Settings(supabase_url=supabase.url))
    ann = await auth.authenticate(asking(supabase.token(data={"full_name": "Ann"})))
    bob = await auth.authenticate(asking(supabase.token("bob@example.org")))
    assert (ann.display_name, ann.user["email"]) == ("Ann", "ann@example.org")
    assert bob.identity != ann.identity
    assert supabase.calls(JWKS) == 1
    assert supabase.calls(USER) == 0
    await auth.close()


async def test_a_rotated_key_is_fetched_and_the_old_one_is_worth_nothing(start_supabase):
    supabase = start_supabase()
    auth = SupabaseAuth(Settings(supabase_url=supabase.url), key_pause=timedelta(0))
    old = supabase.token("one@example.org")
    unseen = supabase.token("two@example.org")
    await auth.authenticate(asking(old))
    supabase.rotate()
    await auth.authenticate(asking(supabase.token("three@example.org")))
    with pytest.raises(Unauthenticated, match="unknown key"):
        await auth.authenticate(asking(unseen))
    await auth.close()


async def test_made_up_key_ids_do_not_become_requests(start_supabase):
    supabase = start_supabase()
    auth = SupabaseAuth(Settings(supabase_url=supabase.url))
    token = supabase.token()
    await auth.authenticate(asking(token))
    private = ec.generate_private_key(ec.SECP256R1())
    for number in range(5):
        forged = jwt.encode({"sub": "x"}, private, "ES256", headers={"kid": str(number)})
        with pytest.raises(Unauthenticated):
            await auth.authenticate(asking(forged))
    assert supabase.calls(JWKS) == 1
    await auth.close()


async def test_a_public_key_does_not_serve_as_an_hmac_secret(start_supabase):
    supabase = start_supabase()
    published = supabase.public_keys()[0]
    claims = {"sub": "x", "aud": "authenticated", "exp": time.time() + 60, "iss": f"{supabase.url}/auth/v1"}
    confused = jwt.encode(claims, published["x"], "HS256", headers={"kid": published["kid"]})
    for settings in (
        Settings(supabase_url=supabase.url),
        Settings(supabase_url=supabase.url, supabase_key="anon"),
        Settings(supabase_url=supabase.url, supabase_jwt_secret="another-secret-of-at-least-32-characters"),
    ):
        auth = SupabaseAuth(settings)
        with pytest.raises(Unauthenticated):
            await auth.authenticate(asking(confused))
        await auth.close()


async def test_without_a_secret_the_service_is_asked_once_for_a_token(start_supabase):
    supabase = start_supabase("--algorithm", "HS256")
    auth = SupabaseAuth(Settings(supabase_url=supabase.url, supabase_key="anon"))
    token = supabase.token(app_metadata={"role": "admin"}, data={"name": "Ann"})
    caller = await auth.authenticate(asking(token))
    again = await auth.authenticate(asking(token))
    assert caller == again
    assert (caller.display_name, caller.permissions) == ("Ann", ("authenticated", "admin"))
    assert supabase.calls(USER) == 1
    with pytest.raises(Unauthenticated, match="^Authentication error: "):
        await auth.authenticate(asking(token[:-4] + "AAAA"))
    await auth.close()


@pytest.mark.parametrize("algorithm", ["ES256", "HS256"])
async def test_a_service_that_is_away_is_no_fault_of_the_token(start_supabase, algorithm):
    supabase = start_supabase("--algorithm", algorithm)
    auth = SupabaseAuth(Settings(supabase_url=supabase.url, supabase_key="anon"))
    token = supabase.token()
    supabase.stop()
    with pytest.raises(Unavailable):
        await auth.authenticate(asking(token))
    await auth.close()


async def test_known_keys_outlive_the_service(start_supabase):
    supabase = start_supabase()
    auth = SupabaseAuth(Settings(supabase_url=supabase.url))
    first, second = supabase.token("one@example.org"), supabase.token("two@example.org")
    await auth.authenticate(asking(first))
    supabase.stop()
    assert (await auth.authenticate(asking(second))).user["email"] == "two@example.org"
    await auth.close()


def test_the_stand_in_speaks_like_gotrue(start_supabase):
    supabase = start_supabase()
    person = {"email": "ann@example.org", "password": "secret-1"}
    assert supabase.post("/auth/v1/admin/users", person, "nobody").status_code == 403
    made = supabase.post(
        "/auth/v1/admin/users", {**person, "user_metadata": {"a": 1}}, "service-role-key"
    ).json()
    assert made["user_metadata"] == {"a": 1}
    session = supabase.post("/auth/v1/token?grant_type=password", person).json()
    assert session["user"]["id"] == made["id"]
    refreshed = {"refresh_token": session["refresh_token"]}
    assert supabase.post("/auth/v1/token?grant_type=refresh_token", refreshed).status_code == 200
    assert supabase.post("/auth/v1/token?grant_type=refresh_token", refreshed).status_code == 400
    wrong = supabase.post("/auth/v1/token?grant_type=password", {**person, "password": "secret-2"})
    assert (wrong.status_code, wrong.json()["msg"]) == (400, "Invalid login credentials")
    headers = {"apikey": "anon", "authorization": f"Bearer {session['access_token']}"}
    assert httpx.get(f"{supabase.url}{USER}", headers=headers).json()["email"] == "ann@example.org"
    assert httpx.get(f"{supabase.url}{USER}").status_code == 401
