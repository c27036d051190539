"""How often a caller may ask: so many requests in each minute of the clock. Off unless RATE_LIMIT_PER_MINUTE is set."""

import logging
import math
import time
from ipaddress import ip_address

from robyn_server.errors import Refused, Unavailable
from robyn_server.events.interfaces import Counters
from robyn_server.web.routing import Headers, Request

logger = logging.getLogger(__name__)

FREE = frozenset({"/", "/ok", "/health", "/metrics"})
"""What watches the server is never refused."""

WINDOW = 60
LOOK_AGAIN_AFTER = 1.0
"""Seconds without a limit once the counters could not be reached: nobody waits for them in vain again and again."""


class RateLimit:
    """One for all requests of this process."""

    def __init__(self, counters: Counters, per_minute: int) -> None:
        self._counters = counters
        self._per_minute = per_minute
        self._pass_until = 0.0

    async def spend(self, request: Request) -> Headers:
        """Count a request whose caller is known. What its answer says of the limit: nothing while the counters are
        away, for then requests pass. Raises `Refused` (429)."""
        if time.monotonic() < self._pass_until:
            return {}
        minute, second = divmod(time.time(), WINDOW)
        try:
            count = await self._counters.add(f"{who(request)}:{minute:.0f}", 2 * WINDOW)
        except Unavailable as error:
            logger.warning("Requests pass without a limit: %s", error.message)
            self._pass_until = time.monotonic() + LOOK_AGAIN_AFTER
            return {}
        wait = max(1, math.ceil(WINDOW - second))
        headers = {
            "x-ratelimit-limit": str(self._per_minute),
            "x-ratelimit-remaining": str(max(0, self._per_minute - count)),
            "x-ratelimit-reset": str(wait),
        }
        if count > self._per_minute:
            raise Refused(429, "Rate limit exceeded", {**headers, "retry-after": str(wait)})
        return headers

    async def close(self) -> None:
        """Let go of the counters."""
        await self._counters.close()


def who(request: Request) -> str:
    """Whose request it is: a user's, else an address's. A proxy on this machine or network says whose it passes on:
    the last address it names is the one it has seen itself."""
    if request.caller.identity:
        return f"user:{request.caller.identity}"
    named = request.headers.get("x-forwarded-for", "").rpartition(",")[2].strip()
    return f"address:{named if named and is_near(request.client) else request.client}"


def is_near(address: str) -> bool:
    """Whether it is an address of this machine or a private network."""
    try:
        return ip_address(address).is_private
    except ValueError:
        return False
