"""`SupabaseAuth` where it needs nobody else: HS256, headers, service keys, what it remembers."""

import asyncio
import hashlib
import time

import jwt
import pytest

from robyn_server.auth.interfaces import Credentials
from robyn_server.auth.supabase import SupabaseAuth
from robyn_server.errors import StartupError, Unauthenticated
from robyn_server.settings import Settings

SECRET = "super-secret-jwt-token-with-at-least-32-characters-long"
URL = "http://supabase.invalid"


def make_auth(**more) -> SupabaseAuth:
    return SupabaseAuth(Settings(supabase_url=URL, supabase_jwt_secret=SECRET, **more))


def make_token(algorithm="HS256", secret=SECRET, **claims) -> str:
    whole = {
        "sub": "ann",
        "aud": "authenticated",
        "exp": int(time.time()) + 60,
        "iss": f"{URL}/auth/v1",
        "email": "ann@example.org",
        "role": "authenticated",
        **claims,
    }
    return jwt.encode({key: value for key, value in whole.items() if value is not None}, secret, algorithm)


def asking(authorization: str | None = None, **headers: str) -> Credentials:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    if authorization is not None:
        named["authorization"] = authorization
    return Credentials("GET", "/threads", {}, {}, named)


@pytest.mark.parametrize(
    ("authorization", "text"),
    [
        (None, "Authorization header missing"),
        ("", "Authorization header missing"),
        ("Bearer", "Invalid authorization header format"),
        ("Basic YTpi", "Invalid authorization header format"),
        ("Bearer a b", "Invalid authorization header format"),
        ("Bearer a, Bearer b", "Invalid authorization header format"),
        ("Bearer a,b", "Invalid authorization header format"),
        ("Bearer nonsense", "Authentication error: invalid token"),
        ("Bearer a.b.c", "Authentication error: invalid token"),
        ("Bearer a\x01.b.c", "Authentication error: invalid token"),
        ("Bearer é.b.c", "Authentication error: invalid token"),
        ("Bearer " + "a" * 16_385, "Authentication error: the token is too large"),
    ],
)
async def test_headers_that_name_nobody(authorization, text):
    with pytest.raises(Unauthenticated) as refusal:
        await make_auth().authenticate(asking(authorization))
    assert refusal.value.message == text


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({"exp": 1}, "the token has expired"),
        ({"exp": None}, "the token lacks a required claim"),
        ({"exp": "soon"}, "invalid token"),
        ({"aud": "anon"}, "the token is for another audience"),
        ({"aud": None}, "the token lacks a required claim"),
        ({"iss": "http://elsewhere/auth/v1"}, "the token is from another issuer"),
        ({"iss": None}, "the token lacks a required claim"),
        ({"sub": None}, "the token lacks a required claim"),
        ({"sub": ""}, "the token names no user"),
        ({"sub": "  "}, "the token names no user"),
        ({"secret": "a-wrong-secret-that-is-at-least-32-characters"}, "invalid token"),
        ({"algorithm": "HS512", "secret": SECRET * 2}, "this kind of token cannot be checked here"),
        ({"algorithm": "none", "secret": None}, "the token is not signed"),
    ],
)
async def test_tokens_that_are_no_good(claims, reason):
    with pytest.raises(Unauthenticated) as refusal:
        await make_auth().authenticate(asking(f"Bearer {make_token(**claims)}"))
    assert refusal.value.message == f"Authentication error: {reason}"


async def test_a_token_of_later_is_no_good():
    token = make_token(nbf=time.time() + 600)
    with pytest.raises(Unauthenticated) as refusal:
        await make_auth().authenticate(asking(f"Bearer {token}"))
    assert refusal.value.message == "Authentication error: the token is not valid yet"


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
async def test_a_good_token_names_its_user(scheme):
    token = make_token(
        aud=["authenticated", "x"], user_metadata={"name": "Ann"}, app_metadata={"role": "admin"}
    )
    caller = await make_auth().authenticate(asking(f"{scheme} {token}"))
    assert (caller.identity, caller.display_name, caller.token) == ("ann", "Ann", token)
    assert caller.permissions == ("authenticated", "admin")
    assert not caller.is_service
    assert caller.user == {
        "identity": "ann",
        "display_name": "Ann",
        "is_authenticated": True,
        "permissions": ["authenticated", "admin"],
        "email": "ann@example.org",
        "role": "authenticated",
        "metadata": {"name": "Ann"},
        "app_metadata": {"role": "admin"},
    }
    assert token not in repr(caller)
    assert token not in str(caller.to_json())


async def test_what_users_write_about_themselves_grants_nothing():
    token = make_token(user_metadata={"role": "admin"})
    assert (await make_auth().authenticate(asking(f"Bearer {token}"))).permissions == ("authenticated",)


async def test_nobody_can_change_another_requests_user():
    auth, request = make_auth(), asking(f"Bearer {make_token()}")
    (await auth.authenticate(request)).user["identity"] = "eve"
    assert (await auth.authenticate(request)).user["identity"] == "ann"


async def test_a_remembered_token_still_expires():
    auth, token = make_auth(), make_token(exp=int(time.time()) + 2)
    await auth.authenticate(asking(f"Bearer {token}"))
    refused = False
    end = time.monotonic() + 5
    while not refused and time.monotonic() < end:
        try:
            await auth.authenticate(asking(f"Bearer {token}"))
        except Unauthenticated:
            refused = True
        await asyncio.sleep(0.01)
    assert refused


async def test_only_a_service_key_opens_everything():
    auth = make_auth(service_keys=("first-key", "second-key"))
    service = await auth.authenticate(asking(x_auth_scheme="langsmith", x_api_key="second-key"))
    assert (service.identity, service.is_service) == ("langgraph-studio-user", True)
    assert (await auth.authorize(service, "threads", "search", {})).is_everything
    for headers in ({"x_api_key": "wrong"}, {"x_api_key": ""}, {}):
        with pytest.raises(Unauthenticated, match="unknown API key"):
            await auth.authenticate(asking(x_auth_scheme="langsmith", **headers))
    with pytest.raises(Unauthenticated, match="Authorization header missing"):
        await auth.authenticate(asking(x_api_key="first-key"))
    with pytest.raises(Unauthenticated):
        await make_auth().authenticate(asking(x_auth_scheme="langsmith", x_api_key=""))


async def test_a_token_beside_the_studios_scheme_is_an_ordinary_token():
    caller = await make_auth(service_keys=("key",)).authenticate(
        asking(f"Bearer {make_token()}", x_auth_scheme="langsmith", x_api_key="wrong")
    )
    assert (caller.identity, caller.is_service) == ("ann", False)


async def test_a_secret_alone_is_enough_and_then_any_issuer_will_do():
    auth = SupabaseAuth(Settings(supabase_jwt_secret=SECRET))
    assert (await auth.authenticate(asking(f"Bearer {make_token(iss=None)}"))).identity == "ann"
    with pytest.raises(StartupError, match="SUPABASE_URL or SUPABASE_JWT_SECRET"):
        SupabaseAuth(Settings())


async def test_a_check_costs_less_than_a_fifth_of_a_millisecond():
    auth, request = make_auth(), asking(f"Bearer {make_token()}")
    await auth.authenticate(request)
    costs = []
    for _ in range(200):
        began = time.perf_counter()
        await auth.authenticate(request)
        costs.append(time.perf_counter() - began)
    assert sorted(costs)[100] < 0.000_2


async def test_the_operator_names_administrators_by_id():
    auth = make_auth(admin_user_ids=("ann",), api_keys=((hashlib.sha256(b"k").hexdigest(), "ann", False),))
    for credentials in (asking(f"Bearer {make_token()}"), asking(x_api_key="k")):
        assert (await auth.authenticate(credentials)).permissions == ("authenticated", "admin")
    bob = asking(f"Bearer {make_token(sub='bob')}")
    assert (await auth.authenticate(bob)).permissions == ("authenticated",)
