"""Where the entries of resumable runs are kept beyond memory: `events.Spill` over a SQLite file of its own.

The file is a cache with a short life. It is not synced: it survives the death of the process, and a power
loss may cost it (it is made anew then).
"""

import asyncio
import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from robyn_server.errors import Unavailable
from robyn_server.resources.event import EventId, RunEvent
from robyn_server.storage.encryption.cipher import CLEAR, Cipher, is_sealed
from robyn_server.storage.encryption.key_check import check_key
from robyn_server.storage.event_file import INSERT, LAST, Entry, drop_ended, drop_oldest, open_events
from robyn_server.storage.sqlite_connection import connect

logger = logging.getLogger(__name__)

EVENTS_FILE = "events.db"

FLUSH_SECONDS = 0.005
FLUSH_BYTES = 64 << 10
FLUSH_ENTRIES = 256
GIVE_UP_SECONDS = 10.0
RETRY_SECONDS = 0.25

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Call:
    work: Callable[[sqlite3.Connection], Any]
    future: asyncio.Future[Any]
    loop: asyncio.AbstractEventLoop

    def answer(self, result: object, error: BaseException | None) -> None:
        try:
            self.loop.call_soon_threadsafe(self._tell, result, error)
        except RuntimeError:
            logger.debug("Nobody waits for the event spill any more")

    def _tell(self, result: object, error: BaseException | None) -> None:
        if self.future.done():
            return
        if error is not None:
            self.future.set_exception(error)
        else:
            self.future.set_result(result)


class SqliteSpill:
    """`events.interfaces.Spill`. `write` and `behind` never wait; the file is written by a thread of its
    own."""

    def __init__(self, path: Path, cipher: Cipher = CLEAR) -> None:
        self._path = path
        self._cipher = cipher
        self._writing = open_events(path)
        self._reading = connect(path)
        self._glancing = connect(path)
        self._glancing.execute("PRAGMA busy_timeout = 0")
        self._reader = ThreadPoolExecutor(1, thread_name_prefix="spill-reader")
        self._changed = threading.Condition()
        self._pending: list[Entry | _Call] = []
        self._pending_bytes = 0
        self._behind = 0
        self._closing = False
        self._thread = threading.Thread(target=self._write_loop, name="spill-writer", daemon=True)
        self._thread.start()

    @property
    def behind(self) -> int:
        """Bytes handed over and not stored yet."""
        return self._behind

    def write(self, thread_id: str, entries: Sequence[RunEvent]) -> None:
        """Hand over entries; they are stored within milliseconds, in order. After `close` they are
        dropped."""
        rows: list[Entry] = [
            (thread_id, *one.id, one.run_id, one.attempt, one.event, self._cipher.seal(one.data))
            for one in entries
        ]
        size = sum(len(row[-1]) for row in rows)
        with self._changed:
            if self._closing:
                return
            idle = not self._pending
            self._pending += rows
            self._pending_bytes += size
            self._behind += size
            if idle or self._is_time():
                self._changed.notify()

    async def flushed(self) -> None:
        """Wait until everything handed over so far is stored."""
        await self._on_writer(lambda _: None)

    async def read(
        self, thread_id: str, after: EventId, run_id: str | None, limit: int = 500
    ) -> list[RunEvent]:
        """The next stored entries after an id."""
        of_run = "" if run_id is None else " AND run_id = ?"
        return await self._select(
            "SELECT id_ms, id_seq, run_id, attempt, event, data FROM event"
            f" WHERE thread_id = ? AND (id_ms, id_seq) > (?, ?){of_run} ORDER BY id_ms, id_seq LIMIT ?",
            (thread_id, *after, *([] if run_id is None else [run_id]), limit),
            self._event,
        )

    def _event(self, row: tuple[Any, ...]) -> RunEvent:
        ms, seq, run_id, attempt, event, data = row
        plain = self._cipher.open(data) if is_sealed(data) else data
        return RunEvent(EventId(ms, seq), run_id, attempt, event, plain, resumable=True)

    async def last(self, thread_id: str) -> EventId | None:
        """The newest stored id of a thread."""
        # One step in an index, on every run of a thread: done here, where handing it to the reader would cost more.
        if self._closing:
            raise Unavailable("The event spill is closed.")
        try:
            rows = self._glancing.execute(LAST, (thread_id,)).fetchall()
        except sqlite3.OperationalError:
            rows = await self._select(LAST, (thread_id,), tuple)
        return EventId(*rows[0]) if rows else None

    async def count(self, thread_id: str, run_id: str, attempt: int) -> int:
        """How many entries of one attempt of a run are stored."""
        (found,) = await self._select(
            "SELECT count(*) FROM event WHERE thread_id = ? AND run_id = ? AND attempt = ?",
            (thread_id, run_id, attempt),
            lambda row: int(row[0]),
        )
        return found

    async def forget_thread(self, thread_id: str) -> None:
        """Drop all entries of a thread, also those handed over and not stored yet."""
        await self._on_writer(
            lambda connection: (
                connection.execute("DELETE FROM event WHERE thread_id = ?", (thread_id,)).rowcount
            )
        )

    async def sweep(self, now_ms: int, keep_ms: int, most_bytes: int) -> int:
        """Drop entries of runs that ended more than `keep_ms` ago, then the oldest beyond `most_bytes`; how
        many."""
        dropped = 0
        while found := await self._on_writer(lambda connection: drop_ended(connection, now_ms - keep_ms)):
            dropped += found
        while found := await self._on_writer(lambda connection: drop_oldest(connection, most_bytes)):
            dropped += found
        return dropped

    async def close(self) -> None:
        """Store what was handed over, then close."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        await asyncio.to_thread(self._thread.join)
        await asyncio.to_thread(self._reader.shutdown)
        self._reading.close()
        self._glancing.close()

    async def _select(
        self, sql: str, parameters: Sequence[object], read: Callable[[tuple[Any, ...]], T]
    ) -> list[T]:
        if self._closing:
            raise Unavailable("The event spill is closed.")
        return await asyncio.get_running_loop().run_in_executor(
            self._reader, lambda: [read(row) for row in self._reading.execute(sql, parameters).fetchall()]
        )

    async def _on_writer(self, work: Callable[[sqlite3.Connection], T]) -> T:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        with self._changed:
            if self._closing:
                raise Unavailable("The event spill is closed.")
            self._pending.append(_Call(work, future, loop))
            self._changed.notify()
        return await future

    def _is_time(self) -> bool:
        return (
            self._closing
            or self._pending_bytes >= FLUSH_BYTES
            or len(self._pending) >= FLUSH_ENTRIES
            or (bool(self._pending) and isinstance(self._pending[-1], _Call))
        )

    def _write_loop(self) -> None:
        while batch := self._next_batch():
            entries: list[Entry] = []
            for item in batch:
                if isinstance(item, _Call):
                    self._store(entries)
                    entries = []
                    self._serve(item)
                else:
                    entries.append(item)
            self._store(entries)
        self._writing.close()

    def _next_batch(self) -> list[Entry | _Call]:
        """What has come in; nothing at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._pending or self._closing)
            self._changed.wait_for(self._is_time, timeout=FLUSH_SECONDS)
            batch, self._pending, self._pending_bytes = self._pending, [], 0
        return batch

    def _store(self, entries: Sequence[Entry]) -> None:
        if not entries:
            return
        give_up_at = time.monotonic() + GIVE_UP_SECONDS
        while (error := self._insert(entries)) is not None:
            with self._changed:
                # A failing file must hold up neither the runs for ever nor the end of the process.
                if self._closing or time.monotonic() > give_up_at:
                    logger.error("Dropped %d events that could not be stored: %s", len(entries), error)
                    break
                self._changed.wait_for(lambda: self._closing, timeout=RETRY_SECONDS)
        with self._changed:
            self._behind -= sum(len(entry[-1]) for entry in entries)

    def _insert(self, entries: Sequence[Entry]) -> sqlite3.Error | None:
        try:
            self._writing.execute("BEGIN IMMEDIATE")
            self._writing.executemany(INSERT, entries)
            self._writing.execute("COMMIT")
        except sqlite3.Error as error:
            self._roll_back()
            return error
        return None

    def _serve(self, call: _Call) -> None:
        try:
            call.answer(call.work(self._writing), None)
        except sqlite3.Error as error:
            # Else what comes next would be part of it, and be lost with it.
            self._roll_back()
            call.answer(None, Unavailable(f"The event spill cannot be used: {error}."))

    def _roll_back(self) -> None:
        if self._writing.in_transaction:
            self._writing.execute("ROLLBACK")


def open_spill(data_dir: Path, cipher: Cipher = CLEAR) -> SqliteSpill:
    """The spill of a data directory; its file is made when missing. Raises `StartupError`."""
    path = data_dir / EVENTS_FILE
    spill = SqliteSpill(path, cipher)
    check_key(path, cipher)
    return spill
