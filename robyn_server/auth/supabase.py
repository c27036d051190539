"""Mode `supabase`: who is calling is said by a Supabase JWT, an API key or a service key; everybody sees his own."""

import hashlib
import time
from dataclasses import dataclass
from datetime import timedelta

import orjson

from robyn_server.auth.api_keys import UNKNOWN_KEY, ApiKeys
from robyn_server.auth.bearer import bearer_token
from robyn_server.auth.gotrue import UserLookUp
from robyn_server.auth.interfaces import Credentials
from robyn_server.auth.jwks import SigningKeys
from robyn_server.auth.owner_rules import OwnersSeeTheirOwn
from robyn_server.auth.recent import Recent
from robyn_server.auth.service_key import STUDIO_IDENTITY, ServiceKeys, studio_user
from robyn_server.auth.token_check import TokenCheck
from robyn_server.auth.user import user_from_claims, user_from_look_up
from robyn_server.errors import StartupError, Unauthenticated
from robyn_server.resources.caller import Caller
from robyn_server.resources.types import JsonObject
from robyn_server.settings import Settings

CHECKED_FOR = 60.0
"""Seconds during which a token checked here is not checked again."""

LOOKED_UP_FOR = 30.0
"""The same for a token that Supabase vouched for: a sign-out there works here after this time."""

MOST_REMEMBERED = 10_000


@dataclass(frozen=True, slots=True)
class _Known:
    """A user as JSON text: every request gets an object of its own, so that none can change another's."""

    identity: str
    display_name: str
    permissions: tuple[str, ...]
    user: bytes

    @classmethod
    def of(cls, user: JsonObject) -> "_Known":
        return cls(user["identity"], user["display_name"], tuple(user["permissions"]), orjson.dumps(user))

    def caller(self, token: str) -> Caller:
        return Caller(
            self.identity, self.display_name, self.permissions, orjson.loads(self.user), token=token
        )


class SupabaseAuth(OwnersSeeTheirOwn):
    """Checks tokens here when it can (HS256 with the secret; ES256 and RS256 with the project's public keys),
    else asks Supabase. `key_pause` is the least time between two fetches of the public keys.

    Raises `StartupError` when the settings say neither where Supabase is nor what its secret is.
    """

    mode = "supabase"

    def __init__(self, settings: Settings, *, key_pause: timedelta = timedelta(seconds=10)) -> None:
        url = settings.supabase_url.rstrip("/") if settings.supabase_url else None
        secret = settings.supabase_jwt_secret
        if not (url or secret):
            raise StartupError(
                "AUTH_MODE=supabase needs SUPABASE_URL or SUPABASE_JWT_SECRET: set one of them."
            )
        issuer = f"{url}/auth/v1" if url else None
        self._keys = SigningKeys(f"{issuer}/.well-known/jwks.json", pause=key_pause) if issuer else None
        self._check = TokenCheck(secret, self._keys, issuer)
        self._look_up = UserLookUp(url, settings.supabase_key) if url and settings.supabase_key else None
        self._service_keys = ServiceKeys(settings.service_keys)
        self._api_keys = ApiKeys(settings.api_keys, settings.admin_user_ids)
        self._admins = frozenset(settings.admin_user_ids)
        self._recent: Recent[_Known] = Recent(MOST_REMEMBERED)

    async def authenticate(self, credentials: Credentials) -> Caller:
        """See `interfaces.Authenticator`; also raises `Unavailable` while Supabase is needed and away."""
        headers = credentials.headers
        if self._service_keys.admits(headers):
            return Caller(STUDIO_IDENTITY, STUDIO_IDENTITY, user=studio_user(), is_service=True)
        authorization = headers.get("authorization")
        if not authorization:
            if self._service_keys.asked_for(headers):
                raise Unauthenticated(UNKNOWN_KEY)
            machine = self._api_keys.caller(headers)
            if machine is not None:
                return machine
        token = bearer_token(authorization)
        digest = hashlib.sha256(token.encode()).digest()
        known = self._recent.get(digest, time.time())
        if known is None:
            known, until = await self._verify(token)
            self._recent.put(digest, known, until)
        return known.caller(token)

    async def close(self) -> None:
        """Let go of the connections."""
        if self._keys is not None:
            await self._keys.close()
        if self._look_up is not None:
            await self._look_up.close()

    async def _verify(self, token: str) -> tuple[_Known, float]:
        claims = await self._check.claims(token)
        if claims is not None:
            return _Known.of(user_from_claims(claims, self._admins)), min(
                claims["exp"], time.time() + CHECKED_FOR
            )
        if self._look_up is None:
            raise Unauthenticated("Authentication error: this kind of token cannot be checked here")
        found = await self._look_up.user(token)
        return _Known.of(user_from_look_up(found, self._admins)), time.time() + LOOKED_UP_FOR
