"""A TCP proxy that cuts connections in the middle of what the server sends."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

PIECE = 65536


class CuttingProxy:
    """Forwards to a port of this machine. Each number in `cuts` is how many more bytes of the server's may pass before
    the connection that carries them is cut; without cuts left everything passes."""

    def __init__(self, target_port: int, cuts: Iterable[int]) -> None:
        self.url = ""
        self.cut_count = 0
        """Connections cut so far."""
        self._target_port = target_port
        self._cuts = list(cuts)
        self._writers: set[asyncio.StreamWriter] = set()

    @asynccontextmanager
    async def listening(self) -> AsyncIterator["CuttingProxy"]:
        """On a free port, at `url`."""
        server = await asyncio.start_server(self._carry, "127.0.0.1", 0)
        self.url = "http://127.0.0.1:{1}".format(*server.sockets[0].getsockname())
        try:
            yield self
        finally:
            server.close()
            for writer in tuple(self._writers):
                writer.close()
            await server.wait_closed()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        upstream_reader, upstream_writer = await asyncio.open_connection("127.0.0.1", self._target_port)
        self._writers |= {writer, upstream_writer}
        upwards = asyncio.create_task(self._pass_on(reader, upstream_writer))
        try:
            await self._pass_down(upstream_reader, writer)
        finally:
            upwards.cancel()
            for one in (writer, upstream_writer):
                one.close()
                self._writers.discard(one)

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while piece := await reader.read(PIECE):
            writer.write(piece)
            await writer.drain()
        writer.close()

    async def _pass_down(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while piece := await reader.read(PIECE):
            if self._cuts and len(piece) >= self._cuts[0]:
                writer.write(piece[: self._cuts.pop(0)])
                self.cut_count += 1
                return
            if self._cuts:
                self._cuts[0] -= len(piece)
            writer.write(piece)
            await writer.drain()
