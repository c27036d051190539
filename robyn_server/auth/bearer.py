"""The bearer token of a request."""

import re

from robyn_server.errors import Unauthenticated

LONGEST_TOKEN = 16 * 1024
"""Bytes. Real tokens have one or two thousand; reading more than this is work for nobody."""

_TOKEN = re.compile(r"[A-Za-z0-9._~+/=-]+")
"""What RFC 6750 allows: anything else could not be passed on in a header either."""


def bearer_token(authorization: str | None) -> str:
    """The token of `Authorization: Bearer <token>`, the scheme in any case. Raises `Unauthenticated`."""
    if not authorization:
        raise Unauthenticated("Authorization header missing")
    words = authorization.split()
    # Repeated headers arrive joined by a comma; taking either one would be a guess.
    if len(words) != 2 or words[0].lower() != "bearer" or "," in words[1]:
        raise Unauthenticated("Invalid authorization header format")
    token = words[1]
    if len(token) > LONGEST_TOKEN:
        raise Unauthenticated("Authentication error: the token is too large")
    if not _TOKEN.fullmatch(token):
        raise Unauthenticated("Authentication error: invalid token")
    return token
