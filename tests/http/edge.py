"""Starts the edge app as a process of its own, and speaks to it below what HTTP clients allow."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from tests.waiting import free_port

HERE = Path(__file__).parent


class Edge:
    """A running edge app."""

    def __init__(self, process: "subprocess.Popen[str]", port: int) -> None:
        self.process = process
        self.port = port
        self.client = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=10)

    def send(self, request: str | bytes, *, receive_buffer: int = 0) -> socket.socket:
        """A connection on which these bytes were sent."""
        connection = socket.socket()
        if receive_buffer:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        connection.settimeout(10)
        connection.connect(("127.0.0.1", self.port))
        connection.sendall(request.encode() if isinstance(request, str) else request)
        return connection

    def open(self, path: str, *, receive_buffer: int = 0) -> socket.socket:
        """A connection that asked for a path."""
        return self.send(f"GET {path} HTTP/1.1\r\nHost: edge\r\n\r\n", receive_buffer=receive_buffer)

    def seen(self, name: str) -> int:
        """One of the app's counters."""
        return int(self.client.get("/seen").json().get(name, 0))


def read_until(connection: socket.socket, mark: bytes, seconds: float = 10) -> bytes:
    """Everything up to and with `mark`, or up to the end."""
    received = b""
    connection.settimeout(seconds)
    while mark not in received:
        piece = connection.recv(65536)
        if not piece:
            break
        received += piece
    return received


def start(*given: str, port: int = 0) -> "tuple[subprocess.Popen[str], int]":
    """Start the app; it prints `ready` when it answers."""
    port = port or free_port()
    process = subprocess.Popen(
        [sys.executable, str(HERE / "edge_app.py"), str(port), *given],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(HERE.parent.parent)},
    )
    return process, port


@contextmanager
def serving(*given: str) -> Iterator[Edge]:
    """A server for the time being."""
    process, port = start(*given)
    assert process.stdout is not None
    assert process.stderr is not None
    edge = None
    try:
        assert process.stdout.readline() == "ready\n"
        edge = Edge(process, port)
        yield edge
    finally:
        if edge is not None:
            edge.client.close()
        process.kill()
        process.wait()
        process.stdout.close()
        process.stderr.close()
