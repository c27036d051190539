"""The event log of a worker process: what is appended goes to the server, which keeps it and knows the readers."""

from collections.abc import AsyncGenerator, Sequence

from robyn_server.errors import Unavailable
from robyn_server.events.hub.link import AWAY, HubLink
from robyn_server.events.hub.messages import Message, encoded
from robyn_server.events.interfaces import LogGap
from robyn_server.resources.event import END_OF_RUN, START, EventId, RunEvent


class JoinedEventLog:
    """See `interfaces.EventLog`. Raises `Unavailable` where the server has to be asked and is away."""

    def __init__(self, link: HubLink) -> None:
        self._link = link

    def open_new(self, thread_id: str) -> EventId:
        """See `interfaces.EventLog`."""
        return START

    async def open(self, thread_id: str) -> None:
        """See `interfaces.EventLog`; the server does it."""

    async def tail(self, thread_id: str) -> EventId:
        """See `interfaces.EventLog`."""
        return EventId(*await self._link.ask("tail", thread_id))

    def append(
        self, thread_id: str, run_id: str, attempt: int, resumable: bool, events: Sequence[tuple[str, bytes]]
    ) -> None:
        """See `interfaces.EventLog`."""
        if events:
            self._link.append(thread_id, run_id, attempt, resumable, events)

    async def room(self) -> None:
        """See `interfaces.EventLog`."""
        await self._link.room()

    async def kept(self) -> None:
        """See `interfaces.EventLog`."""
        await self._link.kept()

    def end(self, thread_id: str, run_id: str, attempt: int, resumable: bool, result: bytes = b"") -> None:
        """See `interfaces.EventLog`."""
        self._link.append(thread_id, run_id, attempt, resumable, [(END_OF_RUN, result)])

    async def follow(
        self, thread_id: str, after: EventId, run_id: str | None = None, *, stored_only: bool = False
    ) -> AsyncGenerator[list[RunEvent], None]:
        """See `interfaces.EventLog`. On a connection of its own, so that a slow reader holds up nobody."""
        await self._link.kept()
        question = encoded("follow", thread_id, *after, run_id, stored_only)
        connection = await self._link.connect_for(question)
        try:
            async for message in connection.messages:
                batch = _batch(message)
                if not batch:
                    return
                yield batch
            raise Unavailable(AWAY)
        except ConnectionError as error:
            raise Unavailable(AWAY) from error
        finally:
            connection.writer.close()

    async def forget_thread(self, thread_id: str) -> None:
        """See `interfaces.EventLog`."""
        await self._link.ask("forget", thread_id)

    async def close(self) -> None:
        """See `interfaces.EventLog`."""
        await self._link.close()


def _batch(message: Message) -> list[RunEvent]:
    """Entries; none at the end. Raises `LogGap`."""
    word, *rest = message.words
    if word == "gap":
        raise LogGap
    return [
        RunEvent(EventId(ms, seq), run_id, attempt, event, data, resumable)
        for (ms, seq, run_id, attempt, event, resumable), data in zip(rest[0], message.blobs, strict=True)
    ]
