"""Who started the run, as the server tells in `configurable`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Caller:
    """`identity` is "" and `token` None for a server without sign-in."""

    identity: str
    token: str | None = field(repr=False)


def caller_from(configurable: Mapping[str, Any], metadata: Mapping[str, Any]) -> Caller:
    """The token comes from the server's own user object, and only without one from the forwarded header."""
    user = configurable.get("langgraph_auth_user")
    identity = (
        configurable.get("langgraph_auth_user_id") or _of(user, "identity") or metadata.get("owner") or ""
    )
    token = _of(user, "token") or configurable.get("x-supabase-access-token") or None
    return Caller(str(identity), token)


def _of(user: object, name: str) -> Any:
    # Servers show the user as a mapping or as an object.
    return user.get(name) if isinstance(user, Mapping) else getattr(user, name, None)
