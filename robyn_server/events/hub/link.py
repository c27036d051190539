"""A worker's connection to the server of its data directory: comes again when it breaks, and sends again what the
server did not keep."""

import asyncio
import itertools
import logging
import time
import uuid
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from robyn_server.errors import StartupError, Unavailable
from robyn_server.events.hub.address import Connection, connected
from robyn_server.events.hub.counts import EntryCounts
from robyn_server.events.hub.messages import PROTOCOL, Message, encoded
from robyn_server.resources.event import END_OF_RUN

logger = logging.getLogger(__name__)

COME_AGAIN_AFTER = 0.05
WAIT_QUIETLY = 3.0
"""Seconds; a server that is started at the same time is there by then."""

BEHIND_LIMIT = 1 << 20
"""Bytes under way beyond which the runs of this process wait."""

MOST_WAITING = 64 << 20
"""Bytes kept for a server that is away; what comes then is dropped, but for the closing entries of runs."""

KEPT_WITHIN = 30.0
"""Seconds that the end of a run waits for a server that is away."""

LAST_WORDS = 3.0
"""The same at the end of the process."""

AWAY = "The server of this data directory is away."


class _Sent(NamedTuple):
    serial: int
    message: bytes


class HubLink:
    """See the module's line. `schema` as in `EventHub`; `on_refused` is called when the server has become another
    version, `context` for the context in which the server shall keep what is appended just now."""

    def __init__(
        self,
        data_dir: Path,
        schema: str,
        on_refused: Callable[[], object] | None = None,
        context: Callable[[], str] | None = None,
    ) -> None:
        self.on_hint: Callable[[str, str], None] = lambda word, run_id: None
        """Called with `queued` or `cancel` and a run id; also after the connection was broken."""
        self.server: dict[str, Any] = {}
        """`host` and `port` where it listens, once it was there."""
        self._name = uuid.uuid4().hex
        """By which the server knows it again on the next connection."""
        self._data_dir = data_dir
        self._schema = schema
        self._on_refused = on_refused
        self._context = context
        self._writer: asyncio.StreamWriter | None = None
        """While the server is there."""
        self._waiting: deque[_Sent] = deque()
        """Sent or to be sent, and not known to be kept."""
        self._behind = 0
        self._serial = 0
        self._kept = 0
        self._counts = EntryCounts()
        self._waiters: list[asyncio.Future[None]] = []
        self._questions: dict[int, asyncio.Future[Any]] = {}
        self._numbers = itertools.count(1)
        self._dropped = False
        self._coming: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Wait for the server, however long that takes. Raises `StartupError` when it speaks otherwise."""
        began: float | None = time.monotonic()
        while True:
            try:
                connection = await self._connect()
            except OSError:
                if began is not None and time.monotonic() - began > WAIT_QUIETLY:
                    logger.info(
                        "Waiting for the server: start `serve --no-worker --data-dir %s`", self._data_dir
                    )
                    began = None
                await asyncio.sleep(COME_AGAIN_AFTER)
            except Unavailable as error:
                raise StartupError(
                    f"The server of {self._data_dir} is of another version: {error.message}"
                ) from error
            else:
                break
        self._begin(connection.writer)
        self._coming = asyncio.get_running_loop().create_task(self._run(connection), name="hub link")

    def append(
        self, thread_id: str, run_id: str, attempt: int, resumable: bool, events: Sequence[tuple[str, bytes]]
    ) -> None:
        """Send entries; never waits."""
        ended = events[-1][0] == END_OF_RUN
        if self._behind > MOST_WAITING and not ended:
            if not self._dropped:
                logger.warning("The server is away for long: events of runs are dropped")
            self._dropped = True
            return
        self._serial += 1
        run = (thread_id, run_id, attempt)
        first = self._counts.get(run) or 0
        self._counts.set(run, first + len(events), ended=ended)
        names = [name for name, _ in events]
        blobs = [data for _, data in events]
        context = self._context() if self._context is not None else ""
        message = encoded("append", self._serial, context, *run, resumable, first, names, blobs=blobs)
        self._waiting.append(_Sent(self._serial, message))
        self._behind += len(message)
        self.say(message)

    def say(self, message: bytes) -> None:
        """Send; nothing while the server is away. At the end of this turn of the loop at the latest: user code may
        block the next one."""
        if self._writer is not None:
            self._writer.write(message)

    async def room(self) -> None:
        """Wait while too much is under way; not for a server that is away."""
        while self._behind > BEHIND_LIMIT and self._writer is not None:
            await self._news()

    async def kept(self, within: float = KEPT_WITHIN) -> None:
        """Wait until what was appended so far is kept, and not for ever for a server that is away."""
        serial = self._serial
        try:
            async with asyncio.timeout(within):
                while self._kept < serial:
                    self.say(encoded("flush"))
                    await self._news()
        except TimeoutError:
            logger.warning("The server is away for long: a run ends before its last events are kept")

    async def ask(self, question: str, thread_id: str) -> Any:
        """The server's answer. Raises `Unavailable`."""
        if self._writer is None:
            raise Unavailable(AWAY)
        number = next(self._numbers)
        answer = self._questions[number] = asyncio.get_running_loop().create_future()
        self.say(encoded("ask", number, question, thread_id))
        try:
            return await answer
        finally:
            del self._questions[number]

    async def connect_for(self, message: bytes) -> Connection:
        """Another connection, with something said on it. Raises `Unavailable`."""
        try:
            connection = await self._connect()
        except OSError as error:
            raise Unavailable(AWAY) from error
        connection.writer.write(message)
        return connection

    async def close(self) -> None:
        """Wait for what is under way, then hang up."""
        if self._writer is not None:
            await self.kept(LAST_WORDS)
        if self._coming is not None:
            self._coming.cancel()
            await asyncio.gather(self._coming, return_exceptions=True)
        if self._writer is not None:
            self._writer.close()

    async def _connect(self) -> Connection:
        """A connection on which we are welcome. Raises OSError, and `Unavailable` when we are not."""
        connection = await connected(self._data_dir)
        hello = {"protocol": PROTOCOL, "schema": self._schema, "again": self._serial, "link": self._name}
        connection.writer.write(encoded("hello", hello))
        try:
            async for answer in connection.messages:
                if answer.words[0] == "welcome":
                    self.server = answer.words[1]
                    return connection
                raise Unavailable(answer.words[1])
            raise ConnectionResetError("The server hung up.")
        except BaseException:
            connection.writer.close()
            raise

    def _begin(self, writer: asyncio.StreamWriter) -> None:
        """Send again what may not have been kept, before anything new."""
        self._writer = writer
        writer.writelines([one.message for one in self._waiting])
        self.on_hint("queued", "")
        self._wake()

    async def _run(self, connection: Connection) -> None:
        while True:
            try:
                async for message in connection.messages:
                    self._take(message)
            except ConnectionError:
                logger.debug("The connection to the server is broken")
            self._lose(connection.writer)
            logger.info("The server is away; runs go on")
            try:
                connection = await self._come_again()
            except Unavailable as error:
                logger.warning("The server is of another version now: %s", error.message)
                if self._on_refused is not None:
                    self._on_refused()
                return
            self._begin(connection.writer)
            logger.info("The server is back")

    async def _come_again(self) -> Connection:
        """As soon as the server is there. Raises `Unavailable` when it does not take us."""
        while True:
            await asyncio.sleep(COME_AGAIN_AFTER)
            try:
                return await self._connect()
            except OSError:
                continue

    def _lose(self, writer: asyncio.StreamWriter) -> None:
        self._writer = None
        writer.close()
        for question in self._questions.values():
            if not question.done():
                question.set_exception(Unavailable(AWAY))
        self._wake()

    def _take(self, message: Message) -> None:
        word, *rest = message.words
        if word == "kept":
            self._kept = rest[0]
            while self._waiting and self._waiting[0].serial <= self._kept:
                self._behind -= len(self._waiting.popleft().message)
            self._dropped = False
            self._wake()
        elif word == "answer":
            question = self._questions.get(rest[0])
            if question is not None and not question.done():
                question.set_result(rest[1])
        elif word in ("queued", "cancel"):
            self.on_hint(word, rest[0] if rest else "")

    async def _news(self) -> None:
        """Wait until something was kept, or the server has come or gone."""
        waiter = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        await waiter

    def _wake(self) -> None:
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)
