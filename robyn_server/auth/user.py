"""The fields of a user, from what Supabase says."""

from collections.abc import Mapping
from typing import Any

from robyn_server.resources.types import Json, JsonObject


def user_from_claims(claims: Mapping[str, Any]) -> JsonObject:
    """The user that a Supabase JWT describes; the token itself is no part of it."""
    return _user(claims["sub"], claims)


def user_from_look_up(found: Mapping[str, Any]) -> JsonObject:
    """The user that GoTrue's `/user` describes."""
    return _user(found["id"], found)


def _user(identity: str, said: Mapping[str, Any]) -> JsonObject:
    about = _object(said.get("user_metadata"))
    granted = _object(said.get("app_metadata"))
    email = said.get("email") or None
    role = said.get("role") or "authenticated"
    name = about.get("full_name") or about.get("name") or email or identity
    # Only `app_metadata` grants anything: users edit their `user_metadata` themselves.
    permissions = [str(role), *(["admin"] if granted.get("role") == "admin" else [])]
    return {
        "identity": identity,
        "display_name": str(name),
        "is_authenticated": True,
        "permissions": permissions,
        "email": email,
        "role": role,
        "metadata": about,
        "app_metadata": granted,
    }


def _object(value: Json) -> JsonObject:
    return value if isinstance(value, dict) else {}
