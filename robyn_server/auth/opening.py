"""Opens the authentication that the settings ask for."""

from collections.abc import Mapping

from robyn_server.auth.api_keys import ApiKeyAuth
from robyn_server.auth.interfaces import Auth
from robyn_server.auth.none import NoAuth
from robyn_server.auth.service_key import ServiceKeys
from robyn_server.errors import StartupError
from robyn_server.resources.types import Json
from robyn_server.settings import Settings


def open_auth(
    settings: Settings,
    handlers: object | None = None,
    section: Mapping[str, Json] | None = None,
    place: str = "langgraph.json",
) -> Auth:
    """`handlers`: the object that `auth.path` names (mode `custom`); `section`: `auth` of langgraph.json; `place`:
    where that is written, for errors.

    Raises `StartupError` when the mode lacks what it needs.
    """
    if settings.auth_mode == "none":
        return NoAuth()
    if settings.auth_mode == "supabase":
        # PyJWT and httpx are needed in this mode only.
        from robyn_server.auth.supabase import SupabaseAuth  # noqa: PLC0415

        return SupabaseAuth(settings)
    if settings.auth_mode == "apikey":
        return ApiKeyAuth(settings)
    if handlers is None:
        raise StartupError(f'AUTH_MODE=custom needs `auth.path` in {place}, e.g. "./auth.py:auth".')
    # langgraph_sdk and starlette likewise.
    from robyn_server.auth.custom import CustomAuth  # noqa: PLC0415

    studio_allowed = not (section or {}).get("disable_studio_auth", False)
    return CustomAuth(
        handlers, ServiceKeys(settings.service_keys), studio_allowed=studio_allowed, place=place
    )
