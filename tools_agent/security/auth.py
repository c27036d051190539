"""Supabase sign-in and owner rules for the agent under any LangGraph server: `"auth": {"path": ".../auth.py:auth"}`.

Our own server needs no such file: its built-in mode checks tokens without a request to Supabase for each of theirs.
Reads SUPABASE_URL and SUPABASE_KEY.
"""

import asyncio
import os
from functools import cache
from typing import Any

from langgraph_sdk import Auth

auth = Auth()


@auth.authenticate
async def authenticate(authorization: str | None) -> dict[str, Any]:
    """The user that Supabase knows by this bearer token."""
    if not authorization:
        raise Auth.exceptions.HTTPException(401, "Authorization header missing")
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "bearer" or not token or " " in token:
        raise Auth.exceptions.HTTPException(401, "Invalid authorization header format")
    url, key = os.environ.get("SUPABASE_URL"), os.environ.get("SUPABASE_KEY")
    if not (url and key):
        raise Auth.exceptions.HTTPException(500, "Supabase client not initialized")
    try:
        answer = await asyncio.to_thread(lambda: _client(url, key).auth.get_user(token))
    except Exception as error:
        # Whatever went wrong, nobody is let in.
        raise Auth.exceptions.HTTPException(401, "Authentication error: the token was refused") from error
    if answer is None or not answer.user:
        raise Auth.exceptions.HTTPException(401, "Invalid token or user not found")
    user = answer.user
    return {"identity": user.id, "display_name": user.email or user.id, "email": user.email}


@auth.on
async def deny(ctx: Auth.types.AuthContext, value: dict[str, Any]) -> bool:
    """What no rule below allows is for the studio only."""
    return _is_studio(ctx)


@auth.on(resources=("threads", "crons"))
async def own(ctx: Auth.types.AuthContext, value: dict[str, Any]) -> dict[str, str] | None:
    """Threads, their runs, and crons: everybody his own."""
    if _is_studio(ctx):
        return None
    _stamp(ctx, value)
    return {"owner": ctx.user.identity}


@auth.on.assistants
async def assistants(ctx: Auth.types.AuthContext, value: dict[str, Any]) -> dict[str, Any] | None:
    """Everybody his own; those of the system may be read by all."""
    if _is_studio(ctx):
        return None
    owner = {"owner": ctx.user.identity}
    if ctx.action in ("read", "search"):
        return {"$or": [owner, {"created_by": "system"}]}
    _stamp(ctx, value)
    return owner


@auth.on.store
async def store(ctx: Auth.types.AuthContext, value: dict[str, Any]) -> None:
    """Namespaces that begin with the user's id."""
    if not _is_studio(ctx):
        namespace = tuple(value.get("namespace") or ())
        assert namespace[:1] == (ctx.user.identity,), "This namespace belongs to somebody else"


def _stamp(ctx: Auth.types.AuthContext, value: dict[str, Any]) -> None:
    creates = ctx.action in ("create", "create_run")
    if not creates and not (ctx.action == "update" and isinstance(value.get("metadata"), dict)):
        return
    if not isinstance(value.get("metadata"), dict):
        value["metadata"] = {}
    metadata = value["metadata"]
    metadata["owner"] = ctx.user.identity
    # Otherwise a user's own assistant could pass for one of the system's.
    if metadata.get("created_by") == "system":
        del metadata["created_by"]


def _is_studio(ctx: Auth.types.AuthContext) -> bool:
    return isinstance(ctx.user, Auth.types.StudioUser)


@cache
def _client(url: str, key: str) -> Any:
    # Importing it takes most of a second: not while the server starts.
    from supabase import ClientOptions, create_client  # noqa: PLC0415

    return create_client(url, key, ClientOptions(persist_session=False, auto_refresh_token=False))
