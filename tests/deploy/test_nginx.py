"""The nginx configuration that we ship, with Debian's nginx before a Robyn process."""

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.deploy.nginx import nginx_before
from tests.waiting import free_port, listens, until

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Proxied:
    """nginx on `port`, before a process on `backend_port`."""

    port: int
    backend: "subprocess.Popen[bytes]"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def exchange(self, request: bytes, *, until: bytes | None = None) -> bytes:
        """What comes back for raw bytes: up to `until`, else until nginx closes the connection."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=5.0) as connection:
            connection.sendall(request)
            answer = b""
            while part := connection.recv(65536):
                answer += part
                if until and until in answer:
                    break
            return answer

    def assert_alive(self) -> None:
        assert httpx.get(f"{self.url}/ok").text == "ok"
        assert self.backend.poll() is None


@pytest.fixture(scope="module")
def proxied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxied]:
    backend_port = free_port()
    with nginx_before(tmp_path_factory.mktemp("nginx"), [backend_port]) as port:
        backend = subprocess.Popen([sys.executable, str(HERE / "backend.py"), str(backend_port)])
        try:
            until(lambda: listens(backend_port), "the backend does not listen")
            yield Proxied(port, backend)
        finally:
            backend.kill()
            backend.wait(timeout=10)


POST_CHUNKED = b"POST /length HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"


@pytest.mark.parametrize(
    "body", [b"zz\r\nabc\r\n0\r\n\r\n", b"FFFFFFFFFFFFFFFFF\r\nabc", b"3\r\nabcdef\r\n0\r\n\r\n"]
)
def test_a_malformed_chunked_body_is_answered_and_never_passed_on(proxied: Proxied, body: bytes) -> None:
    assert proxied.exchange(POST_CHUNKED + body).startswith(b"HTTP/1.1 400 ")
    proxied.assert_alive()


@pytest.mark.parametrize(
    ("parameters", "passes"),
    [
        ("", False),
        ("; boundary=", False),
        ('; boundary=""', False),
        ("; boundary=a=b", False),
        ("; boundary=a; b", False),
        ("; boundary=----WebKitFormBoundaryx7Y", True),
        ('; boundary="a/b?c"', True),
        ("; charset=utf-8; boundary=a", True),
        ("; boundary=a; charset=utf-8", True),
    ],
)
def test_a_multipart_body_without_a_usable_boundary_is_not_passed_on(
    proxied: Proxied, parameters: str, passes: bool
) -> None:
    boundary = parameters.partition("boundary=")[2].partition(";")[0].strip('"')
    head = f'--{boundary}\r\ncontent-disposition: form-data; name="f"; filename="f"\r\n\r\n'
    body = head.encode() + b"x" * 200_000 + f"\r\n--{boundary}--\r\n".encode()
    sent = {"content-type": f"multipart/form-data{parameters}"}
    answer = httpx.post(f"{proxied.url}/length", content=body, headers=sent, timeout=5)
    assert answer.status_code == (200 if passes else 400)
    # As many as nginx keeps connections: none of them is spoiled.
    for _ in range(20):
        proxied.assert_alive()


def test_a_well_formed_chunked_body_arrives_whole(proxied: Proxied) -> None:
    answer = proxied.exchange(POST_CHUNKED + b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert answer.endswith(b"5")


def test_an_oversize_body_is_refused_unread(proxied: Proxied) -> None:
    too_much = 300 * 1024 * 1024 + 1
    head = f"POST /length HTTP/1.1\r\nHost: x\r\nContent-Length: {too_much}\r\n\r\n"
    assert proxied.exchange(head.encode(), until=b"\r\n\r\n").startswith(b"HTTP/1.1 413 ")
    proxied.assert_alive()


def test_slow_headers_are_cut_off(proxied: Proxied) -> None:
    started = time.monotonic()
    answer = proxied.exchange(b"GET /ok HTTP/1.1\r\nHost: x\r\nX-Slow: ")
    assert answer == b"" or answer.startswith(b"HTTP/1.1 408 ")
    assert time.monotonic() - started < 4
    proxied.assert_alive()


def test_a_stream_passes_unbuffered(proxied: Proxied) -> None:
    with httpx.stream("GET", f"{proxied.url}/stream", timeout=5) as answer:
        lines = answer.iter_lines()
        assert next(lines) == "data: first"
        # Only now may the backend say more: the first event did not wait for it.
        httpx.post(f"{proxied.url}/go-on")
        assert [line for line in lines if line] == ["data: last"]


def test_the_backend_learns_how_it_was_called(proxied: Proxied) -> None:
    assert httpx.get(f"{proxied.url}/headers", headers={"Host": "agents.example:444"}).text == (
        "agents.example:444 http"
    )
