"""A project's own `langgraph_sdk.Auth` handlers: every row of the tables in the reference's behaviour."""

import uuid
from dataclasses import dataclass

import pytest
from langgraph_sdk import Auth as Handlers
from starlette.requests import Request

from robyn_server.auth.custom import CustomAuth
from robyn_server.auth.interfaces import Credentials
from robyn_server.auth.service_key import ServiceKeys
from robyn_server.errors import Forbidden, InvalidRequest, Refused, StartupError, Unauthenticated
from robyn_server.resources.caller import Caller

Http = Handlers.exceptions.HTTPException
ANN = Caller("ann", "Ann", ("read",), {"identity": "ann", "role": "member", "team": {"id": 7}})
REQUEST = Credentials(
    "POST", "/threads/t1", {"thread_id": "t1"}, {"a": ["1", "2"], "b": ["x y"]},
    {"authorization": "Bearer abc", "x-a": "b"}, b'{"k": 1}',
)  # fmt: skip


def make_auth(handlers: Handlers | None = None, keys=("key",), **more) -> CustomAuth:
    handlers = handlers or Handlers()
    if handlers._authenticate_handler is None:
        handlers.authenticate(lambda: "ann")
    return CustomAuth(handlers, ServiceKeys(keys), **more)


def authenticating(function) -> CustomAuth:
    handlers = Handlers()
    handlers.authenticate(function)
    return CustomAuth(handlers, ServiceKeys(("key",)))


def returning(value) -> CustomAuth:
    return authenticating(lambda: value)


def raising(error: BaseException) -> CustomAuth:
    async def authenticate():
        raise error

    return authenticating(authenticate)


async def test_parameters_are_given_by_name():
    seen = {}

    async def authenticate(
        request: Request,
        body,
        user,
        path,
        method,
        scopes,
        path_params,
        query_params,
        headers,
        authorization,
        scope,
    ):
        seen.update(locals())
        seen["read"] = await request.body()
        return "ann"

    await authenticating(authenticate).authenticate(REQUEST)
    assert seen["request"].headers["x-a"] == "b"
    assert seen["request"].url.path == "/threads/t1"
    assert seen["read"] == b'{"k": 1}'
    assert seen["body"] == {"k": 1}
    assert (seen["user"], seen["scopes"]) == (None, [])
    assert (seen["path"], seen["method"], seen["authorization"]) == ("/threads/t1", "POST", "Bearer abc")
    assert seen["path_params"] == {"thread_id": "t1"}
    assert seen["query_params"].getlist("a") == ["1", "2"]
    assert seen["query_params"]["b"] == "x y"
    assert seen["headers"][b"x-a"] == b"b"
    assert seen["scope"]["type"] == "http"


async def test_plain_functions_and_parameters_with_defaults_will_do():
    def authenticate(authorization, mine="default", *rest, **more):
        return {"identity": authorization, "mine": mine}

    caller = await authenticating(authenticate).authenticate(REQUEST)
    assert (caller.identity, caller.user["mine"]) == ("Bearer abc", "default")


@dataclass
class Person:
    identity: str
    role: str = "r"
    permissions: tuple = ("p",)


class Bare:
    @property
    def identity(self):
        return "bare"


@pytest.mark.parametrize(
    ("returned", "identity", "permissions", "user"),
    [
        ("ann", "ann", (), {"identity": "ann", "is_authenticated": True, "display_name": "ann"}),
        (
            {"identity": "ann", "permissions": ["a"], "display_name": "Ann", "x": {"y": 1}},
            "ann", ("a",),
            {"identity": "ann", "is_authenticated": True, "display_name": "Ann", "permissions": ["a"], "x": {"y": 1}},
        ),
        (
            Person("ann"), "ann", ("p",),
            {"identity": "ann", "is_authenticated": True, "display_name": "ann", "role": "r", "permissions": ["p"]},
        ),
        (Bare(), "bare", (), {"identity": "bare", "is_authenticated": True, "display_name": "bare"}),
        ((["a", "b"], "ann"), "ann", ("a", "b"), {"identity": "ann", "is_authenticated": True, "display_name": "ann"}),
        (
            (["a"], {"identity": "ann", "permissions": ["z"]}), "ann", ("a",),
            {"identity": "ann", "is_authenticated": True, "display_name": "ann", "permissions": ["z"]},
        ),
        (
            {"identity": "ann", "is_authenticated": False, "id": uuid.UUID(int=1), "tags": {"t"}}, "ann", (),
            {"identity": "ann", "is_authenticated": False, "display_name": "ann", "id": str(uuid.UUID(int=1)),
             "tags": ["t"]},
        ),
    ],
)  # fmt: skip
async def test_what_may_be_returned(returned, identity, permissions, user):
    caller = await returning(returned).authenticate(REQUEST)
    assert (caller.identity, caller.permissions, caller.user) == (identity, permissions, user)
    assert (caller.token, caller.is_service) == (None, False)


@pytest.mark.parametrize("returned", [None, 7, {"name": "ann"}, {"identity": 7}, ("ann", ["a"])])
async def test_what_is_no_user(returned):
    with pytest.raises(InvalidRequest, match="Expected a BaseUser instance with required property: identity"):
        await returning(returned).authenticate(REQUEST)


async def test_a_token_in_the_user_is_kept_apart_and_shown_to_handlers():
    caller = await returning({"identity": "ann", "token": "abc"}).authenticate(REQUEST)
    assert caller.token == "abc"
    assert "abc" not in str(caller.to_json())
    seen = []
    handlers = Handlers()

    @handlers.on
    async def look(ctx, value):
        seen.append(ctx.user.token)

    await make_auth(handlers).authorize(caller, "threads", "read", {})
    assert seen == ["abc"]


@pytest.mark.parametrize(
    ("error", "kind", "text"),
    [
        (Http(401, "who?"), Unauthenticated, "who?"),
        (Http(403, "banned", {"x": "y"}), Forbidden, "banned"),
        (Http(429, "slowly"), Refused, "slowly"),
        (RuntimeError("secret detail"), Unauthenticated, "Unauthorized"),
        (AssertionError("secret detail"), Unauthenticated, "Unauthorized"),
    ],
)
async def test_what_an_authenticator_may_raise(error, kind, text):
    with pytest.raises(kind) as refusal:
        await raising(error).authenticate(REQUEST)
    assert refusal.value.message == text
    assert getattr(refusal.value, "status", 429) == 429


async def authorize(result, value=None):
    handlers = Handlers()

    @handlers.on
    async def handler(ctx, value):
        if isinstance(result, BaseException):
            raise result
        return result

    return await make_auth(handlers).authorize(ANN, "threads", "search", {} if value is None else value)


@pytest.mark.parametrize("result", [None, True, {}])
async def test_results_that_allow_everything(result):
    assert (await authorize(result)).is_everything


@pytest.mark.parametrize(
    ("result", "allowed", "refused"),
    [
        ({"owner": "ann"}, {"owner": "ann"}, {"owner": "bob"}),
        ({"owner": {"$eq": "ann"}}, {"owner": "ann"}, {}),
        ({"members": {"$contains": "ann"}}, {"members": ["ann", "x"]}, {"members": "ann"}),
        ({"members": {"$contains": ["ann", "x"]}}, {"members": ["x", "ann"]}, {"members": ["ann"]}),
        ({"flags": {"$contains": True}}, {"flags": [True]}, {"flags": [1]}),
        ({"flags": {"$contains": []}}, {"flags": []}, {"flags": 1}),
        ({"$or": [{"a": 1}, {"b": 2}]}, {"b": 2}, {"b": 1}),
        ({"$and": [{"a": 1}, {"b": 2}]}, {"a": 1, "b": 2}, {"a": 1}),
        ({"b": 2, "$or": [{"a": 1}, {"c": 3}]}, {"b": 2, "c": 3}, {"a": 1}),
    ],
)
async def test_results_that_filter(result, allowed, refused):
    filtered = await authorize(result)
    assert filtered.allows(allowed)
    assert not filtered.allows(refused)


@pytest.mark.parametrize(
    ("result", "status", "text"),
    [
        (7, 500, "Auth handler returned invalid result. Expected filter dict, None, or boolean."
                 " Got <class 'int'> instead."),
        (0, 500, "Got <class 'int'> instead."),
        ([], 500, "Got <class 'list'> instead."),
        ({"$or": [{"a": 1}]}, 500, "Your auth handler returned a filter with an invalid $or operator. The $or operator"
                                   " must be a list of at least 2 filter objects. Check the filter returned by your"
                                   " auth handler."),
        ({"$and": {"a": 1}}, 500, "invalid $and operator"),
        ({"$or": [{"$and": [{"$or": [{"a": 1}, {"c": 3}]}, {"d": 1}]}, {"e": 1}]}, 500,
         "Your auth handler returned a filter with too many nested operators. The maximum depth for nested operators"
         " is 2. Please simplify your filter."),
        (Http(402, "pay first", {"x-price": "1"}), 402, "pay first"),
    ],
)  # fmt: skip
async def test_results_that_end_the_request(result, status, text):
    with pytest.raises(Refused) as refusal:
        await authorize(result)
    assert refusal.value.status == status
    assert text in refusal.value.message
    assert refusal.value.headers == ({"x-price": "1"} if status == 402 else {})


@pytest.mark.parametrize(
    ("result", "text"),
    [
        (False, "Forbidden"),
        (AssertionError("not on my watch"), "not on my watch"),
        (AssertionError(), "Forbidden"),
        (RuntimeError("secret detail"), "Forbidden"),
    ],
)
async def test_results_that_forbid(result, text):
    with pytest.raises(Forbidden) as refusal:
        await authorize(result)
    assert refusal.value.message == text


async def test_the_most_specific_handler_is_the_only_one_that_runs():
    handlers, ran = Handlers(), []

    def handler(name):
        async def run(ctx, value):
            ran.append((name, ctx.resource, ctx.action))

        return run

    handlers.on(handler("global"))
    handlers.on(actions="delete")(handler("any delete"))
    handlers.on.threads(handler("threads"))
    handlers.on.threads.create(handler("threads create"))
    auth = make_auth(handlers)
    for resource, action in (
        ("threads", "create"),
        ("threads", "delete"),
        ("crons", "delete"),
        ("store", "get"),
    ):
        await auth.authorize(ANN, resource, action, {})
    assert [name for name, _, _ in ran] == ["threads create", "threads", "any delete", "global"]
    assert ran[-1][1:] == ("store", "get")


async def test_no_handler_means_allowed():
    assert (await make_auth().authorize(ANN, "threads", "create", {})).is_everything


async def test_handlers_see_the_user_and_may_change_the_value():
    handlers, seen = Handlers(), {}
    thread_id, metadata = str(uuid.uuid4()), {"owner": "bob"}

    @handlers.on
    async def handler(ctx, value):
        user = ctx.user
        seen.update(ids=(value["thread_id"], value["assistant_id"]), user=user, permissions=ctx.permissions)
        seen["reads"] = (
            user.identity,
            user["role"],
            user.get("none"),
            user.team.id,
            user.permissions,
            "role" in user,
        )
        value["metadata"]["owner"] = user.identity
        value["namespace"] = ("ann", *value["namespace"])
        value.setdefault("extra", {})["a"] = 1
        del value["gone"]

    value = {
        "thread_id": thread_id, "assistant_id": "agent", "metadata": metadata, "namespace": ("x",), "gone": 1,
    }  # fmt: skip
    await make_auth(handlers).authorize(ANN, "threads", "create", value)
    assert seen["ids"] == (uuid.UUID(thread_id), "agent")
    assert seen["reads"] == ("ann", "member", None, 7, ["read"], True)
    assert value == {
        "thread_id": thread_id,
        "assistant_id": "agent",
        "metadata": {"owner": "ann"},
        "namespace": ("ann", "x"),
        "extra": {"a": 1},
    }
    assert metadata == {"owner": "ann"}
    assert "permissions" not in ANN.user


async def test_the_studio_needs_a_service_key_and_goes_through_the_handlers():
    handlers, users = Handlers(), []

    @handlers.on
    async def handler(ctx, value):
        users.append(ctx.user)
        return False

    def asking(key: str | None) -> Credentials:
        headers = {"x-auth-scheme": "langsmith"} | ({"x-api-key": key} if key else {})
        return Credentials("GET", "/threads", {}, {}, headers)

    auth = make_auth(handlers)
    studio = await auth.authenticate(asking("key"))
    assert (studio.identity, studio.permissions, studio.is_service) == ("langgraph-studio-user", (), False)
    restored = Caller.from_json(studio.to_json())
    with pytest.raises(Forbidden):
        await auth.authorize(restored, "threads", "read", {})
    assert isinstance(users[0], Handlers.types.StudioUser)
    for key in (None, "wrong"):
        assert (await auth.authenticate(asking(key))).identity == "ann"
    assert (await make_auth(studio_allowed=False).authenticate(asking("key"))).identity == "ann"
    assert (await make_auth(keys=()).authenticate(asking("key"))).identity == "ann"


def test_objects_that_cannot_serve_stop_the_start():
    with pytest.raises(StartupError, match=r"must name a langgraph_sdk\.Auth object, not dict"):
        CustomAuth({}, ServiceKeys(()))
    with pytest.raises(StartupError, match=r"auth\.path of LANGGRAPH_AUTH must name"):
        CustomAuth({}, ServiceKeys(()), place="LANGGRAPH_AUTH")
    with pytest.raises(StartupError, match="authenticate handler"):
        CustomAuth(Handlers(), ServiceKeys(()))
    with pytest.raises(StartupError, match="asks for 'db'"):
        authenticating(lambda db: "ann")
