"""Tokens for MCP servers: the caller's own exchanged for one of the server's (RFC 8693), kept in memory.

Never in the store: users can read that.
"""

import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache

import httpx

from tools_agent.caller import Caller
from tools_agent.outbound import Outbound

GRANT = "urn:ietf:params:oauth:grant-type:token-exchange"
ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"
CLIENT_ID = "mcp_default"
LIMIT = 1000
EARLY_SECONDS = 30
"""A token is not used in its last half minute: the call that it is for takes time."""
EXCHANGE_SECONDS = 10


class NoToken(Exception):
    """There is no token for this server; the text says why."""


@dataclass(frozen=True, slots=True)
class _Kept:
    token: str = field(repr=False)
    until: float


class TokenCache:
    """By user and server; bounded, the longest unused goes first. `clock` gives seconds."""

    def __init__(self, limit: int = LIMIT, clock: Callable[[], float] = time.monotonic) -> None:
        self._limit = limit
        self._clock = clock
        self._kept: OrderedDict[tuple[str, str], _Kept] = OrderedDict()

    def get(self, user: str, url: str) -> str | None:
        """The token, None when there is none or it is about to expire."""
        kept = self._kept.get((user, url))
        if kept is None:
            return None
        if kept.until <= self._clock():
            del self._kept[user, url]
            return None
        self._kept.move_to_end((user, url))
        return kept.token

    def put(self, user: str, url: str, token: str, expires_in: float) -> None:
        """Keep a token that is good for so many seconds."""
        self._kept[user, url] = _Kept(token, self._clock() + expires_in - EARLY_SECONDS)
        self._kept.move_to_end((user, url))
        while len(self._kept) > self._limit:
            self._kept.popitem(last=False)


@cache
def process_cache() -> TokenCache:
    """The one of this process: graphs are made anew for each run and must share it."""
    return TokenCache()


async def mcp_token(url: str, caller: Caller, outbound: Outbound, cache: TokenCache | None = None) -> str:
    """The bearer token for the MCP server at `url` (without `/mcp`). A server without an exchange gets the caller's
    own. Raises `NoToken`."""
    if caller.token is None:
        raise NoToken("it needs a signed-in user")
    if not outbound.may_have_token(url):
        raise NoToken("its host is not in TOKEN_FORWARD_HOSTS, so it is not given the user's token")
    cache = cache or process_cache()
    # Anonymous callers are told apart by what they hold.
    user = caller.identity or hashlib.sha256(caller.token.encode()).hexdigest()
    kept = cache.get(user, url)
    if kept is not None:
        return kept
    answer = await _exchange(url, caller.token, outbound)
    if answer is None:
        return caller.token
    token, expires_in = answer
    cache.put(user, url, token, expires_in)
    return token


async def _exchange(url: str, subject: str, outbound: Outbound) -> tuple[str, float] | None:
    """A token and its seconds, None where there is no exchange. Raises `NoToken`."""
    form = {
        "client_id": CLIENT_ID,
        "subject_token": subject,
        "grant_type": GRANT,
        "resource": f"{url}/mcp",
        "subject_token_type": ACCESS_TOKEN,
    }
    try:
        async with outbound.client(timeout=EXCHANGE_SECONDS) as client:
            response = await client.post(f"{url}/oauth/token", data=form)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise NoToken("its token exchange could not be reached") from error
    if response.status_code in (404, 405, 501):
        return None
    try:
        body = response.json()
    except ValueError:
        return None
    if response.is_error or not isinstance(body, dict) or not body.get("access_token"):
        raise NoToken(f"its token exchange refused (status {response.status_code})")
    expires_in = body.get("expires_in")
    return str(body["access_token"]), float(expires_in) if isinstance(expires_in, int | float) else 0.0
