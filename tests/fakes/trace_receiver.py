"""A small HTTP server that takes traces as LangSmith does, and as an OpenTelemetry collector does."""

import gzip
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import zstandard


class TraceReceiver(ThreadingHTTPServer):
    """`posts` is what has come: the path and the body, unpacked."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.posts: list[tuple[str, bytes]] = []

    @property
    def url(self) -> str:
        """Where traces go."""
        return f"http://127.0.0.1:{self.server_port}"

    def said(self, path: str = "") -> bytes:
        """All bodies whose path contains this, one after the other."""
        return b"\n".join(body for at, body in list(self.posts) if path in at)


class _Handler(BaseHTTPRequestHandler):
    server: TraceReceiver
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """What the SDK asks before it sends: it does without an answer."""
        self._answer(404)

    def do_POST(self) -> None:
        """Take it."""
        self._take()

    def do_PATCH(self) -> None:
        """Take it."""
        self._take()

    def _take(self) -> None:
        if self.headers.get("transfer-encoding") == "chunked":
            body = b"".join(self._chunks())
        else:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
        packing = self.headers.get("content-encoding")
        if packing == "gzip":
            body = gzip.decompress(body)
        elif packing == "zstd":
            body = zstandard.ZstdDecompressor().stream_reader(body).read()
        self.server.posts.append((self.path, body))
        self._answer(200)

    def _chunks(self) -> Iterator[bytes]:
        while size := int(self.rfile.readline(), 16):
            yield self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()

    def _answer(self, status: int) -> None:
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing."""


@contextmanager
def receiving() -> Iterator[TraceReceiver]:
    """A receiver, running."""
    receiver = TraceReceiver()
    thread = threading.Thread(target=receiver.serve_forever)
    thread.start()
    try:
        yield receiver
    finally:
        receiver.shutdown()
        thread.join()
        receiver.server_close()
