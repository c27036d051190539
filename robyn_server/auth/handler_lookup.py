"""Which handler of a `langgraph_sdk.Auth` answers for (resource, action): exactly one, the most specific."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

from langgraph_sdk import Auth as Handlers

Handler: TypeAlias = Callable[..., Awaitable[Any]]


def find_handler(handlers: Handlers, resource: str, action: str) -> Handler | None:
    """(resource, action), then (resource, any), (any, action), (any, any), then the global one; among equals
    the last defined. None: nobody minds, so it is allowed."""
    # The SDK keeps its registrations in private attributes; a server is their only reader.
    registered = handlers._handlers  # noqa: SLF001
    for place in ((resource, action), (resource, "*"), ("*", action), ("*", "*")):
        if found := registered.get(place):
            return found[-1]
    everywhere = handlers._global_handlers  # noqa: SLF001
    return everywhere[-1] if everywhere else None


def find_authenticator(handlers: Handlers) -> Callable[..., Any] | None:
    """The function decorated with `@auth.authenticate`."""
    return handlers._authenticate_handler  # noqa: SLF001
