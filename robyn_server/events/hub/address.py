"""Where a server and its workers meet: a Unix socket in the data directory, for its owner only."""

import asyncio
import os
import socket
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager
from pathlib import Path

from robyn_server.events.hub.messages import Decoder, Message

SOCKET_FILE = "hub.sock"
READ_BYTES = 256 << 10


def listening(data_dir: Path) -> socket.socket:
    """A socket that workers find; what an earlier server left there is replaced. Raises OSError."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        (data_dir / SOCKET_FILE).unlink(missing_ok=True)
        with _short(data_dir) as folder:
            listener.bind(f"{folder}/{SOCKET_FILE}")
        (data_dir / SOCKET_FILE).chmod(0o600)
        listener.listen()
    except BaseException:
        listener.close()
        raise
    listener.setblocking(False)
    return listener


class Connection:
    """A worker's side of one connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self.writer = writer
        self.messages = self._messages()
        """What the server says, until it hangs up. Raises `ConnectionError`."""

    async def _messages(self) -> AsyncGenerator[Message, None]:
        decoder = Decoder()
        while data := await self._reader.read(READ_BYTES):
            for message in decoder.feed(data):
                yield message


async def connected(data_dir: Path) -> Connection:
    """A connection to the server. Raises OSError when there is none."""
    joining = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with _short(data_dir) as folder:
            # Does not wait: a listener takes it at once or there is none.
            joining.connect(f"{folder}/{SOCKET_FILE}")
        joining.setblocking(False)
        return Connection(*await asyncio.open_unix_connection(sock=joining))
    except BaseException:
        joining.close()
        raise


@contextmanager
def _short(data_dir: Path) -> Iterator[str]:
    """A name of the folder for which a socket's address, some hundred bytes, has room."""
    descriptor = os.open(data_dir, os.O_RDONLY | os.O_DIRECTORY)
    try:
        known = f"/proc/self/fd/{descriptor}"
        yield known if Path(known).exists() else str(data_dir)
    finally:
        os.close(descriptor)
