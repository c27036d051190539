"""What an `@auth.authenticate` function returned, as a `Caller`."""

from collections.abc import Mapping
from typing import Any

import orjson

from robyn_server.errors import InvalidRequest
from robyn_server.resources.caller import Caller
from robyn_server.resources.types import JsonObject

EXPECTED = (
    "Expected a BaseUser instance with required property: identity (str). Optional properties are:"
    " is_authenticated (bool, defaults to True) and display_name (str, defaults to identity)."
    " Got {kind} instead"
)


def caller_from(returned: Any) -> Caller:
    """A string, a mapping with `identity`, an object with it, or `(permissions, one of these)`.

    A `token` in it becomes the caller's token and leaves the user object, which is stored with every run.
    Raises `InvalidRequest` for anything else.
    """
    permissions: Any = None
    if isinstance(returned, tuple) and len(returned) == 2:
        permissions, returned = returned
    user = _described(returned)
    if permissions is None:
        permissions = user.get("permissions")
    token = user.pop("token", None)
    return Caller(
        user["identity"],
        user["display_name"],
        tuple(str(permission) for permission in permissions or ()),
        user,
        token=token if isinstance(token, str) else None,
    )


def _described(returned: Any) -> JsonObject:
    fields = _fields(returned)
    identity = fields.get("identity")
    if not isinstance(identity, str):
        raise InvalidRequest(EXPECTED.format(kind=type(returned)))
    user: JsonObject = {
        "identity": identity,
        "is_authenticated": bool(fields.get("is_authenticated", True)),
        "display_name": str(fields.get("display_name") or identity),
    }
    rest = {str(name): value for name, value in fields.items() if name not in user}
    # The user is stored with runs and crons, so it must be JSON; what is not becomes text.
    user.update(orjson.loads(orjson.dumps(rest, default=_plain, option=orjson.OPT_NON_STR_KEYS)))
    return user


def _fields(returned: Any) -> Mapping[str, Any]:
    if isinstance(returned, str):
        return {"identity": returned}
    if isinstance(returned, Mapping):
        return returned
    if hasattr(returned, "model_dump"):
        fields = dict(returned.model_dump(mode="json"))
    else:
        fields = {name: value for name, value in getattr(returned, "__dict__", {}).items() if name[:1] != "_"}
    # These may be properties or class attributes, which no listing of an object shows.
    for name in ("identity", "display_name", "is_authenticated", "permissions"):
        if hasattr(returned, name):
            fields[name] = getattr(returned, name)
    return fields


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, set | frozenset) else str(value)
