"""Asks Supabase who a token belongs to: the last resort, one request a token."""

import asyncio
import importlib
from typing import Any

from robyn_server.errors import Unauthenticated, Unavailable
from robyn_server.resources.types import JsonObject


class UserLookUp:
    """`GET {url}/auth/v1/user` through the supabase package."""

    def __init__(self, url: str, key: str) -> None:
        self._url = url
        self._key = key
        self._opening = asyncio.Lock()
        self._client: Any = None

    async def user(self, token: str) -> JsonObject:
        """The user in GoTrue's words: `id`, `email`, `role`, `user_metadata`, `app_metadata`.

        Raises `Unauthenticated`, or `Unavailable` when the service does not answer.
        """
        client = await self._open()
        # Loaded by `_open`, in a thread.
        from supabase_auth.errors import AuthError, AuthRetryableError  # noqa: PLC0415

        try:
            answer = await client.auth.get_user(token)
        except AuthRetryableError as error:
            raise Unavailable("The sign-in service cannot be reached") from error
        except AuthError as error:
            raise Unauthenticated("Authentication error: the sign-in service refused the token") from error
        if answer is None or not answer.user or not answer.user.id:
            raise Unauthenticated("Invalid token or user not found")
        user: JsonObject = answer.user.model_dump(mode="json")
        return user

    async def close(self) -> None:
        """Let go of the connections."""
        if self._client is not None:
            await self._client.auth.close()
            self._client = None

    async def _open(self) -> Any:
        async with self._opening:
            if self._client is None:
                # Most servers never need it, and importing it takes most of a second.
                supabase = await asyncio.to_thread(importlib.import_module, "supabase")
                options = supabase.AsyncClientOptions(persist_session=False, auto_refresh_token=False)
                self._client = await supabase.acreate_client(self._url, self._key, options)
        return self._client
