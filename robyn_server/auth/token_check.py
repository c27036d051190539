"""Checks a Supabase JWT here, without asking anybody: signature, time, audience, issuer, subject."""

from typing import Any

import jwt

from robyn_server.auth.jwks import ALGORITHMS, SigningKeys
from robyn_server.errors import Unauthenticated
from robyn_server.resources.types import JsonObject

AUDIENCE = "authenticated"

_REASONS: tuple[tuple[type[jwt.PyJWTError], str], ...] = (
    (jwt.ExpiredSignatureError, "the token has expired"),
    (jwt.ImmatureSignatureError, "the token is not valid yet"),
    (jwt.InvalidAudienceError, "the token is for another audience"),
    (jwt.InvalidIssuerError, "the token is from another issuer"),
    (jwt.MissingRequiredClaimError, "the token lacks a required claim"),
)


class TokenCheck:
    """`secret` checks HS256, `keys` ES256 and RS256; what is None cannot be checked here."""

    def __init__(self, secret: str | None, keys: SigningKeys | None, issuer: str | None) -> None:
        self._secret = secret
        self._keys = keys
        self._issuer = issuer

    async def claims(self, token: str) -> JsonObject | None:
        """The claims of a good token, None when its kind cannot be checked here.

        Raises `Unauthenticated`; `Unavailable` when the signing keys cannot be had.
        """
        header = _header(token)
        algorithm = header.get("alg")
        if algorithm == "HS256" and self._secret:
            return self._decode(token, self._secret, algorithm)
        if algorithm in ALGORITHMS and self._keys is not None:
            key_id = header.get("kid")
            key = await self._keys.find(key_id if isinstance(key_id, str) else None, algorithm)
            if key is None:
                raise Unauthenticated("Authentication error: the token is signed with an unknown key")
            return self._decode(token, key, algorithm)
        if not isinstance(algorithm, str) or algorithm.lower() == "none":
            raise Unauthenticated("Authentication error: the token is not signed")
        return None

    def _decode(self, token: str, key: Any, algorithm: str) -> JsonObject:
        # One algorithm, chosen by the kind of key at hand: a public key can never serve as an HMAC secret.
        try:
            claims: JsonObject = jwt.decode(
                token,
                key,
                algorithms=[algorithm],
                audience=AUDIENCE,
                issuer=self._issuer,
                options={"require": ["exp", "sub", "aud"], "verify_iat": False},
            )
        except jwt.PyJWTError as error:
            raise Unauthenticated(f"Authentication error: {_reason(error)}") from error
        if not claims["sub"].strip():
            raise Unauthenticated("Authentication error: the token names no user")
        return claims


def _header(token: str) -> JsonObject:
    try:
        header: JsonObject = jwt.get_unverified_header(token)
    except jwt.PyJWTError as error:
        raise Unauthenticated("Authentication error: invalid token") from error
    return header


def _reason(error: jwt.PyJWTError) -> str:
    for kind, reason in _REASONS:
        if isinstance(error, kind):
            return reason
    return "invalid token"
