"""Both kinds of the SDK's clients, and a note of what is called on them."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import pytest

from tests.http.sdk_calls import Calls
from tests.server_process import ServerProcess


class Awaited:
    """A synchronous client whose methods are awaited, so that one test speaks to both kinds."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._client, name)
        return self._in_a_thread(found) if callable(found) else Awaited(found)

    def _in_a_thread(self, method: Callable[..., Any]) -> Callable[..., Awaitable[Any]]:
        async def call(*args: Any, **kwargs: Any) -> Any:
            return await asyncio.to_thread(method, *args, **kwargs)

        return call


@pytest.fixture(scope="session")
def sdk_calls() -> Iterator[Calls]:
    """What the tests that take `sdk` have called so far."""
    calls = Calls()
    yield calls
    calls.stop()


@pytest.fixture(params=["async", "sync"])
async def sdk(request: pytest.FixtureRequest, server: ServerProcess, sdk_calls: Calls) -> AsyncIterator[Any]:
    """A client of the SDK, whichever, whose methods are awaited."""
    if request.param == "async":
        async with server.sdk() as client:
            yield client
    else:
        with server.sync_sdk() as client:
            yield Awaited(client)
