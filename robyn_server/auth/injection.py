"""What an `@auth.authenticate` function may ask for by parameter name, made from a request."""

import inspect
from collections.abc import Callable, Mapping, MutableMapping
from typing import Any
from urllib.parse import urlencode

import orjson
from starlette.requests import Request

from robyn_server.auth.interfaces import Credentials
from robyn_server.errors import StartupError
from robyn_server.resources.types import Json, JsonObject


def wanted_parameters(function: Callable[..., Any]) -> tuple[str, ...]:
    """The parameters of `function` that can be filled. Raises `StartupError` for one that cannot and must."""
    wanted = []
    for name, parameter in inspect.signature(function).parameters.items():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        if name in INJECTABLE and parameter.kind is not parameter.POSITIONAL_ONLY:
            wanted.append(name)
        elif parameter.default is parameter.empty:
            names = ", ".join(sorted(INJECTABLE))
            raise StartupError(
                f"The authenticate handler asks for '{name}', which nobody can give; it may ask for: {names}."
            )
    return tuple(wanted)


def arguments(wanted: tuple[str, ...], credentials: Credentials) -> dict[str, Any]:
    """The keyword arguments for one call."""
    return {name: INJECTABLE[name](credentials) for name in wanted}


def _scope(credentials: Credentials) -> JsonObject:
    headers = [
        (name.encode("latin-1", "replace"), _raw(value)) for name, value in credentials.headers.items()
    ]
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "scheme": "http",
        "method": credentials.method,
        "path": credentials.path,
        "raw_path": credentials.path.encode(),
        "root_path": "",
        "query_string": urlencode(credentials.query, doseq=True).encode(),
        "headers": headers,
        "path_params": dict(credentials.path_params),
    }


def _raw(value: str) -> bytes:
    return value.encode("latin-1", "replace")


def _request(credentials: Credentials) -> Request:
    async def receive() -> MutableMapping[str, Any]:
        return {"type": "http.request", "body": credentials.body, "more_body": False}

    return Request(_scope(credentials), receive)


def _body(credentials: Credentials) -> Json:
    try:
        return orjson.loads(credentials.body)
    except orjson.JSONDecodeError:
        return None


INJECTABLE: Mapping[str, Callable[[Credentials], Any]] = {
    "request": _request,
    "body": _body,
    "user": lambda credentials: None,
    "path": lambda credentials: credentials.path,
    "method": lambda credentials: credentials.method,
    "scopes": lambda credentials: [],
    "path_params": lambda credentials: dict(credentials.path_params),
    "query_params": lambda credentials: _request(credentials).query_params,
    # Names and values are bytes, as on the reference: `headers.get(b"x-api-key")`.
    "headers": lambda credentials: dict(_scope(credentials)["headers"]),
    "authorization": lambda credentials: credentials.headers.get("authorization"),
    "scope": _scope,
}
