"""The server's side of a joined installation: workers of other processes append to its log through a Unix socket.

The server's own log gives the ids, so that they grow whoever appends. A worker keeps what it has sent until it hears
that it is kept, and sends it again when its connection was broken: what was taken already is known by its serial, or
after a restart of the server by the count of what is stored.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from robyn_server.errors import DomainError, StartupError
from robyn_server.events.hub.address import READ_BYTES, SOCKET_FILE, listening
from robyn_server.events.hub.counts import EntryCounts
from robyn_server.events.hub.messages import PROTOCOL, Decoder, Message, encoded
from robyn_server.events.interfaces import LogGap, Notifier, Spill
from robyn_server.events.log import InProcessEventLog
from robyn_server.resources.event import END_OF_RUN, EventId

logger = logging.getLogger(__name__)

KEPT_AFTER = 0.005
"""Seconds until a worker hears that its entries are kept; the spill gathers as long."""

MOST_LINKS = 10_000
"""Workers that are remembered after they have gone: one that was restarted is another."""


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """What workers are told. `schema` names the versions of the databases: workers with other ones are turned away."""

    schema: str
    host: str
    port: int


class EventHub:
    """Serves the workers of one data directory. `enter` is awaited with the context of what a worker appends."""

    def __init__(
        self,
        data_dir: Path,
        log: InProcessEventLog,
        spill: Spill,
        notifier: Notifier,
        about: ServerFacts,
        enter: Callable[[str], Awaitable[None]] | None = None,
    ) -> None:
        self.log = log
        self.spill = spill
        self.notifier = notifier
        self.about = about
        self.enter = enter
        self.counts = EntryCounts()
        self._links: dict[str, _Taken] = {}
        self._data_dir = data_dir
        self._server: asyncio.Server | None = None
        self._guests: dict[_Guest, asyncio.Task[None]] = {}
        self._left = asyncio.Event()
        self._left.set()

    async def listen(self) -> None:
        """Let workers in. Raises `StartupError`."""
        try:
            listener = listening(self._data_dir)
        except OSError as error:
            raise StartupError(
                f"Workers cannot join through {self._data_dir / SOCKET_FILE} ({error}): choose another folder (one with"
                " a shorter path, where sockets can be made) with --data-dir."
            ) from error
        self.notifier.on_run_queued(self._tell_queued)
        self.notifier.on_cancel_requested(self._tell_cancelled)
        self._server = await asyncio.start_unix_server(self._serve, sock=listener)

    async def left(self, within: float) -> None:
        """Wait until no worker is connected, at most so many seconds."""
        try:
            async with asyncio.timeout(within):
                await self._left.wait()
        except TimeoutError:
            logger.warning("%d connections of workers are still open", len(self._guests))

    async def close(self) -> None:
        """Hang up. The workers go on and come again."""
        if self._server is not None:
            self._server.close()
            (self._data_dir / SOCKET_FILE).unlink(missing_ok=True)
        tasks = list(self._guests.values())
        for guest in self._guests:
            guest.hang_up()
        await asyncio.gather(*tasks, return_exceptions=True)

    def taken_of(self, link: str, again: int) -> "_Taken":
        """What was taken of one worker, on whatever connection. `again`: what it had sent before."""
        taken = self._links.pop(link, None) or _Taken(again)
        self._links[link] = taken
        if len(self._links) > MOST_LINKS:
            del self._links[next(iter(self._links))]
        return taken

    def tell(self, message: bytes, but: "_Guest | None" = None) -> None:
        """Say something to every worker, `but` one."""
        for guest in self._guests:
            if guest is not but:
                guest.send(message)

    def _tell_queued(self) -> None:
        self.tell(encoded("queued"))

    def _tell_cancelled(self, run_id: str) -> None:
        self.tell(encoded("cancel", run_id))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        guest = _Guest(self, writer)
        task = asyncio.current_task()
        assert task is not None
        self._guests[guest] = task
        self._left.clear()
        try:
            await guest.listen(reader)
        except ConnectionError:
            logger.debug("A worker is gone")
        except DomainError:
            # It comes again, with all that is not kept.
            logger.warning("Events of a worker could not be taken", exc_info=True)
        finally:
            del self._guests[guest]
            if not self._guests:
                self._left.set()
            guest.hang_up()


@dataclass(slots=True)
class _Taken:
    """What was taken of one worker."""

    again: int
    """Up to this serial it may have sent things to an earlier server."""
    serial: int = 0
    """Up to this one everything stands in the log."""


class _Guest:
    """One connection of a worker."""

    def __init__(self, hub: EventHub, writer: asyncio.StreamWriter) -> None:
        self._hub = hub
        self._writer = writer
        self._taken = _Taken(0)
        self._serial = 0
        self._to_store = 0
        """The newest serial with resumable entries."""
        self._told = 0
        self._welcome = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._telling: asyncio.TimerHandle | None = None

    def send(self, message: bytes) -> None:
        """Say something; never waits. What a worker does not read piles up here: hints and answers, all small."""
        if not self._writer.is_closing():
            self._writer.write(message)

    async def listen(self, reader: asyncio.StreamReader) -> None:
        """Until the worker is gone. Raises `ConnectionError` and `Unavailable`."""
        decoder = Decoder()
        while data := await reader.read(READ_BYTES):
            for message in decoder.feed(data):
                await self._take(message)
            await self._hub.log.room()

    def hang_up(self) -> None:
        """End the connection, and what is being done for it."""
        self._writer.close()
        if self._telling is not None:
            self._telling.cancel()
        for task in self._tasks:
            task.cancel()

    async def _take(self, message: Message) -> None:
        word, *rest = message.words
        if word == "hello":
            self._greet(**rest[0])
        elif not self._welcome:
            raise ConnectionResetError
        elif word == "append":
            await self._append(message)
        elif word == "flush":
            self._do(self._tell_kept())
        elif word == "ask":
            self._do(self._answer(*rest))
        elif word == "follow":
            self._do(self._follow(*rest))
        elif word == "queued":
            self._hub.tell(encoded("queued"), but=self)
        elif word == "cancel":
            self._hub.tell(encoded("cancel", rest[0]), but=self)

    def _greet(self, protocol: int, schema: str, again: int, link: str = "") -> None:
        # Without a link speaks a worker of protocol 1, which is refused.
        about = self._hub.about
        mine = (PROTOCOL, about.schema)
        self._welcome = (protocol, schema) == mine
        if self._welcome:
            self._taken = self._hub.taken_of(link, again)
            self.send(encoded("welcome", {"host": about.host, "port": about.port}))
        else:
            self.send(encoded("refused", f"the server speaks {mine}, this worker {(protocol, schema)}"))

    async def _append(self, message: Message) -> None:
        _, serial, context, thread_id, run_id, attempt, resumable, first, _ = message.words
        if serial > self._taken.serial:
            if self._hub.enter is not None:
                await self._hub.enter(context)
            await self._hub.log.open(thread_id)
            known = await self._known(serial, (thread_id, run_id, attempt), resumable, first)
            # Things may still be read from the connection that the worker had before; from here on nothing is awaited.
            if serial > self._taken.serial:
                self._keep(message, known)
        self._serial = serial
        if resumable:
            self._to_store = serial
        if self._telling is None:
            self._telling = asyncio.get_running_loop().call_later(KEPT_AFTER, self._tell_soon)

    async def _known(self, serial: int, run: tuple[str, str, int], resumable: bool, first: int) -> int:
        """How many entries of the attempt of a run the log has. `first`: how many stand before what has come."""
        known = self._hub.counts.get(run)
        if known is not None:
            return known
        if serial > self._taken.again:
            return first
        return await self._hub.spill.count(*run) if resumable else 0

    def _keep(self, message: Message, known: int) -> None:
        """Append the entries behind those that are known."""
        _, serial, _, thread_id, run_id, attempt, resumable, first, names = message.words
        log = self._hub.log
        events = list(zip(names, message.blobs, strict=True))[max(known - first, 0) :]
        ended = names[-1] == END_OF_RUN
        if ended and events:
            log.append(thread_id, run_id, attempt, resumable, events[:-1])
            log.end(thread_id, run_id, attempt, resumable, events[-1][1])
        else:
            log.append(thread_id, run_id, attempt, resumable, events)
        self._hub.counts.set((thread_id, run_id, attempt), max(known, first + len(names)), ended=ended)
        self._taken.serial = serial

    def _tell_soon(self) -> None:
        self._telling = None
        self._do(self._tell_kept())

    async def _tell_kept(self) -> None:
        serial = self._serial
        if self._to_store > self._told:
            await self._hub.log.kept()
        if serial > self._told:
            self._told = serial
            self.send(encoded("kept", serial))

    async def _answer(self, number: int, question: str, thread_id: str) -> None:
        if question == "forget":
            await self._hub.log.forget_thread(thread_id)
            self.send(encoded("answer", number, None))
        else:
            self.send(encoded("answer", number, list(await self._hub.log.tail(thread_id))))

    async def _follow(self, thread_id: str, ms: int, seq: int, run_id: str | None, stored_only: bool) -> None:
        batches = self._hub.log.follow(thread_id, EventId(ms, seq), run_id, stored_only=stored_only)
        try:
            async with aclosing(batches):
                async for batch in batches:
                    heads = [[*one.id, one.run_id, one.attempt, one.event, one.resumable] for one in batch]
                    self.send(encoded("batch", heads, blobs=[one.data for one in batch]))
                    await self._writer.drain()
            self.send(encoded("batch", []))
        except LogGap:
            self.send(encoded("gap"))

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work, name="for a worker")
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            # It asks again when it has come again.
            logger.warning("Something asked by a worker failed", exc_info=task.exception())
            self._writer.close()
