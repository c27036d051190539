"""Keys of machines, in `X-Api-Key`: who holds one acts as the user it was made for."""

import hashlib
from collections.abc import Collection, Iterable, Mapping

from robyn_server.auth.interfaces import Credentials
from robyn_server.auth.owner_rules import OwnersSeeTheirOwn
from robyn_server.auth.service_key import STUDIO_IDENTITY, ServiceKeys, studio_user
from robyn_server.errors import Unauthenticated
from robyn_server.resources.caller import Caller
from robyn_server.resources.types import JsonObject
from robyn_server.settings import Settings

UNKNOWN_KEY = "Authentication error: unknown API key"


class ApiKeys:
    """`keys` are (sha256 of the key in hex, user, administrator): the keys themselves are not known here. `admins` are
    users whose keys are all an administrator's."""

    def __init__(self, keys: Iterable[tuple[str, str, bool]], admins: Collection[str] = ()) -> None:
        self._owners = {digest: (user, admin or user in admins) for digest, user, admin in keys}

    def caller(self, headers: Mapping[str, str]) -> Caller | None:
        """Whose key the request brings, None when it brings none or nobody has one. Raises `Unauthenticated` for an
        unknown one."""
        key = headers.get("x-api-key")
        if not key or not self._owners:
            return None
        # Looked up by digest: how long that takes says nothing of the keys.
        owner = self._owners.get(hashlib.sha256(key.encode()).hexdigest())
        if owner is None:
            raise Unauthenticated(UNKNOWN_KEY)
        return _caller(*owner)


class ApiKeyAuth(OwnersSeeTheirOwn):
    """Mode `apikey`: an API key or a service key says who is calling; everybody sees his own."""

    mode = "apikey"

    def __init__(self, settings: Settings) -> None:
        self._keys = ApiKeys(settings.api_keys, settings.admin_user_ids)
        self._service_keys = ServiceKeys(settings.service_keys)

    async def authenticate(self, credentials: Credentials) -> Caller:
        """See `interfaces.Authenticator`."""
        if self._service_keys.admits(credentials.headers):
            return Caller(STUDIO_IDENTITY, STUDIO_IDENTITY, user=studio_user(), is_service=True)
        caller = self._keys.caller(credentials.headers)
        if caller is None:
            raise Unauthenticated("X-Api-Key header missing")
        return caller

    async def close(self) -> None:
        """Nothing to let go of."""


def _caller(user: str, admin: bool) -> Caller:
    permissions = ("authenticated", "admin") if admin else ("authenticated",)
    fields: JsonObject = {
        "identity": user,
        "display_name": user,
        "is_authenticated": True,
        "permissions": list(permissions),
    }
    return Caller(user, user, permissions, fields)
