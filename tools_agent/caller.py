"""Who started the run, as the server tells in `configurable`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Caller:
    """`identity` is "" and `token` None for a server without sign-in. `ticket` is good for reading collections, on the
    server at `ticket_url` only."""

    identity: str
    token: str | None = field(repr=False)
    ticket: str | None = field(default=None, repr=False)
    ticket_url: str = ""


def caller_from(configurable: Mapping[str, Any], metadata: Mapping[str, Any]) -> Caller:
    """The token comes from the server's own user object, and only without one from the forwarded header."""
    user = configurable.get("langgraph_auth_user")
    identity = (
        configurable.get("langgraph_auth_user_id") or _of(user, "identity") or metadata.get("owner") or ""
    )
    token = _of(user, "token") or configurable.get("x-supabase-access-token") or None
    access = configurable.get("collections_access") or {}
    return Caller(str(identity), token, _of(access, "ticket"), str(_of(access, "url") or ""))


def _of(user: object, name: str) -> Any:
    # Servers show the user as a mapping or as an object.
    return user.get(name) if isinstance(user, Mapping) else getattr(user, name, None)
