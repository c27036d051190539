"""One session with an MCP server, shared by the listing and all calls of a run."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from anyio import BrokenResourceError, ClosedResourceError
from langchain_mcp_adapters.sessions import Connection, create_session
from mcp import ClientSession

OPEN_SECONDS = 10
IDLE_SECONDS = 10.0
"""A session that nobody has used for so long is closed, and the next call opens another: a run does not say that it
has ended."""

Answer = TypeVar("Answer")


class SessionEnded(OSError):
    """The connection ended while an answer was awaited."""


class McpSession:
    """Opened when it is first needed. It is entered and left by a task of its own, as the mcp package demands, and may
    be used by many at once.

    What the package raises when a session cannot be opened is raised by those who wait for it.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._live: _Live | None = None

    async def list_tools(self, cursor: str | None = None) -> Any:
        """See `ClientSession`."""
        return await self._current().ask(lambda session: session.list_tools(cursor=cursor))

    async def call_tool(self, *positional: Any, **named: Any) -> Any:
        """See `ClientSession`."""
        return await self._current().ask(lambda session: session.call_tool(*positional, **named))

    def _current(self) -> "_Live":
        if self._live is None or self._live.is_over:
            self._live = _Live(self._connection)
        return self._live


class _Live:
    """One connection, from its opening to its end."""

    def __init__(self, connection: Connection) -> None:
        self._loop = asyncio.get_running_loop()
        self._opened: asyncio.Future[ClientSession] = self._loop.create_future()
        self._closing = asyncio.Event()
        self._closer: asyncio.TimerHandle | None = None
        self._users = 0
        self._keeper = asyncio.create_task(self._keep(connection), name="mcp session")

    @property
    def is_over(self) -> bool:
        """Whether another one is needed."""
        return self._closing.is_set() or self._keeper.done()

    async def ask(self, question: Callable[[ClientSession], Awaitable[Answer]]) -> Answer:
        """The answer, once the session is open. Raises `SessionEnded` when the connection ends before it has come."""
        if self._closer is not None:
            self._closer.cancel()
        self._users += 1
        try:
            # Shielded: who gives up waiting must not take it away from the others.
            session = await asyncio.shield(self._opened)
            return await self._answered(question(session))
        except (ClosedResourceError, BrokenResourceError) as error:
            raise SessionEnded("The MCP session ended") from error
        finally:
            self._users -= 1
            if not self._users:
                self._closer = self._loop.call_later(IDLE_SECONDS, self._closing.set)

    async def _answered(self, asked: Awaitable[Answer]) -> Answer:
        answer = asyncio.ensure_future(asked)
        try:
            await asyncio.wait({answer, self._keeper}, return_when=asyncio.FIRST_COMPLETED)
            if answer.done():
                return answer.result()
            raise SessionEnded("The MCP session ended")
        finally:
            answer.cancel()

    async def _keep(self, connection: Connection) -> None:
        try:
            async with asyncio.timeout(OPEN_SECONDS) as limit, create_session(connection) as session:
                await session.initialize()
                limit.reschedule(None)
                self._opened.set_result(session)
                await self._closing.wait()
        except Exception as error:  # noqa: BLE001 - whatever it is, those who wait for the session are told
            if not self._opened.done():
                self._opened.set_exception(error)
                # Nobody may be waiting any more, which is no reason to complain.
                self._opened.exception()
        finally:
            self._opened.cancel()
            if self._closer is not None:
                self._closer.cancel()
