"""The listening socket, which Robyn opens itself: looked for among the open files."""

import errno
import os
import resource
import socket
from collections.abc import Iterator
from contextlib import suppress

from robyn_server.errors import StartupError

KEEPALIVE_AFTER = 30
"""Seconds of silence before the kernel asks whether a peer is still there."""

UNANSWERED_MS = 120_000
"""How long sent data may stay unacknowledged: vanished peers never close their connection. It is also how long a
client may stop to read altogether."""


def refuse_busy_port(address: str, port: int) -> None:
    """Raises `StartupError` unless the port can be bound. Robyn would ask for another one on stdin."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
            probe.listen(1)
        except OSError as error:
            raise StartupError(_why_not(error, address, port)) from error


def _why_not(error: OSError, address: str, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"Port {port} is in use: stop what listens there, or choose another port with --port."
    if error.errno == errno.EACCES:
        return f"Port {port} needs more rights than this process has: choose one above 1023 with --port."
    return f"Cannot listen on {address} port {port}: {error.strerror}."


def raise_file_limit() -> None:
    """A stream is an open file; the usual limit of 1024 is for programs with fewer."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def tune(port: int) -> None:
    """Have the kernel find vanished peers; accepted connections inherit this."""
    for listener in _sockets_on(port):
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        if hasattr(socket, "TCP_KEEPIDLE") and hasattr(socket, "TCP_USER_TIMEOUT"):
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, KEEPALIVE_AFTER)
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNANSWERED_MS)


def stop_listening(port: int) -> None:
    """Refuse new connections from now on; open ones are not touched."""
    for listener in _sockets_on(port):
        if listener.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)


def take_no_more_requests(port: int) -> None:
    """On open connections too: idle ones are closed, the others once they have their answer."""
    for connection in _sockets_on(port, connected=True):
        with suppress(OSError):
            connection.shutdown(socket.SHUT_RD)


def _sockets_on(port: int, *, connected: bool = False) -> Iterator[socket.socket]:
    """Our TCP sockets on the port, those that listen or those that clients have opened, as duplicates that are closed
    after use."""
    for name in os.listdir("/dev/fd"):
        try:
            found = socket.socket(fileno=os.dup(int(name)))
        except OSError:
            continue
        with found:
            if found.family in (socket.AF_INET, socket.AF_INET6) and _is_connected(found) is connected:
                with suppress(OSError):
                    if found.getsockname()[1] == port:
                        yield found


def _is_connected(candidate: socket.socket) -> bool:
    try:
        candidate.getpeername()
    except OSError:
        return False
    return True
