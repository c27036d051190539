"""The fields of a user, from what Supabase says."""

from collections.abc import Collection, Mapping
from typing import Any

from robyn_server.resources.types import Json, JsonObject


def user_from_claims(claims: Mapping[str, Any], admins: Collection[str] = ()) -> JsonObject:
    """The user that a Supabase JWT describes; the token itself is no part of it. `admins` are the operator's
    ADMIN_USER_IDS."""
    return _user(claims["sub"], claims, admins)


def user_from_look_up(found: Mapping[str, Any], admins: Collection[str] = ()) -> JsonObject:
    """The user that GoTrue's `/user` describes."""
    return _user(found["id"], found, admins)


def _user(identity: str, said: Mapping[str, Any], admins: Collection[str]) -> JsonObject:
    about = _object(said.get("user_metadata"))
    granted = _object(said.get("app_metadata"))
    email = said.get("email") or None
    role = said.get("role") or "authenticated"
    name = about.get("full_name") or about.get("name") or email or identity
    # Only `app_metadata` grants anything: users edit their `user_metadata` themselves.
    is_admin = granted.get("role") == "admin" or identity in admins
    permissions = [str(role), *(["admin"] if is_admin else [])]
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
