"""The public keys that a Supabase project signs its tokens with, fetched when needed."""

import asyncio
import logging
import time
from datetime import timedelta

import httpx
import jwt

from robyn_server.errors import Unavailable
from robyn_server.resources.types import JsonObject

logger = logging.getLogger(__name__)

ALGORITHMS = {"ES256": ("EC", "P-256"), "RS256": ("RSA", None)}
"""algorithm -> (key type, curve). A key serves its own algorithm only, whatever a token's header claims."""


class SigningKeys:
    """Keys by id.

    Fetched at first use, when older than `max_age`, and when a token names an unknown key, though not more
    often than once in `pause`: made-up key ids must not turn into requests.
    """

    def __init__(
        self,
        url: str,
        *,
        pause: timedelta = timedelta(seconds=10),
        max_age: timedelta = timedelta(minutes=10),
        timeout: float = 5.0,
    ) -> None:
        self._url = url
        self._pause = pause.total_seconds()
        self._max_age = max_age.total_seconds()
        self._timeout = timeout
        self._keys: list[JsonObject] = []
        self._fetched_at: float | None = None
        self._not_before = 0.0
        self._reachable = True
        self._fetching = asyncio.Lock()
        self._client: httpx.AsyncClient | None = None

    async def find(self, key_id: str | None, algorithm: str) -> jwt.PyJWK | None:
        """The key for a token, None when the project has no such key.

        Raises `Unavailable` when the keys cannot be fetched and those at hand do not answer the question.
        """
        # Keys past their age still serve while somebody else fetches them: a slow service delays one request only.
        if self._is_old() and not (self._keys and self._fetching.locked()):
            await self._refresh()
        key = self._pick(key_id, algorithm)
        if key is None:
            await self._refresh()
            key = self._pick(key_id, algorithm)
        if key is None and not self._reachable:
            raise Unavailable("The sign-in service cannot be reached")
        return key

    async def close(self) -> None:
        """Let go of the connections."""
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    def _is_old(self) -> bool:
        return self._fetched_at is None or time.monotonic() - self._fetched_at > self._max_age

    def _pick(self, key_id: str | None, algorithm: str) -> jwt.PyJWK | None:
        key_type, curve = ALGORITHMS[algorithm]
        for key in self._keys:
            if key_id is not None and key.get("kid") != key_id:
                continue
            if key.get("kty") != key_type or (curve and key.get("crv") != curve) or key.get("use") == "enc":
                continue
            try:
                return jwt.PyJWK(key, algorithm=algorithm)
            except jwt.PyJWTError:
                logger.warning("A signing key of %s cannot be read", self._url)
        return None

    async def _refresh(self) -> None:
        async with self._fetching:
            # Whoever waited for the lock finds the answer of the one before.
            if time.monotonic() < self._not_before:
                return
            try:
                keys = await self._fetch()
            except (httpx.HTTPError, ValueError) as error:
                logger.warning("Signing keys cannot be fetched from %s: %s", self._url, type(error).__name__)
                self._reachable = False
                self._not_before = time.monotonic() + min(self._pause, 1.0)
                return
            self._keys = keys
            self._reachable = True
            self._fetched_at = time.monotonic()
            self._not_before = self._fetched_at + self._pause

    async def _fetch(self) -> list[JsonObject]:
        if self._client is None:
            # Making a client reads the system's certificates: tens of milliseconds of disk and parsing.
            self._client = await asyncio.to_thread(httpx.AsyncClient, timeout=self._timeout)
        answer = await self._client.get(self._url)
        answer.raise_for_status()
        document = answer.json()
        keys = document.get("keys") if isinstance(document, dict) else None
        if not isinstance(keys, list):
            raise ValueError("no key set")
        return [key for key in keys if isinstance(key, dict)]
