"""The process: how it starts, what it logs, how it ends."""

import signal
import socket

from tests.http.edge import read_until, serving, start
from tests.waiting import listens, until


def test_sigterm_breaks_off_what_goes_on_and_exits_with_0() -> None:
    with serving() as edge, edge.open("/silent") as stream, edge.open("/late") as waiting:
        read_until(stream, b"event: open")
        read_until(waiting, b"\r\n\r\n")
        edge.process.send_signal(signal.SIGTERM)
        # A body that ended in good order would tell the client that this was all, and it would not come back.
        told = [until_closed(connection) for connection in (stream, waiting)]
        assert not any(body.endswith(b"0\r\n\r\n") for body in told)
        # A comment would be no JSON, which is what the other is going to be.
        assert [b": server is shutting down\r\n\r\n" in body for body in told] == [True, False]
        assert edge.process.wait(10) == 0
        assert not listens(edge.port)
        assert edge.process.stdout is not None
        assert edge.process.stdout.read() == "drained\nclosed\n"


def until_closed(connection: socket.socket) -> bytes:
    return b"".join(iter(lambda: connection.recv(65536), b""))


def test_each_request_has_a_line_and_no_secret_is_in_it() -> None:
    with serving() as edge:
        edge.client.get("/things/7?token=geheim", headers={"x-request-id": "id-7", "x-name": "ann"})
        edge.client.get("/events?n=1", headers={"x-request-id": "id-8"})
        edge.client.get("/broken", headers={"x-request-id": "id-9"})
        edge.process.send_signal(signal.SIGTERM)
        assert edge.process.wait(10) == 0
        assert edge.process.stderr is not None
        written = edge.process.stderr.read()
    lines = written.splitlines()
    (line,) = [line for line in lines if "id-7" in line]
    assert "GET /things/7 200" in line
    assert "caller=ann" in line
    assert "geheim" not in written
    assert [line.split(" ms  ")[1].split("  ")[0] for line in lines if "id-8" in line] == [
        "stream opened",
        "stream closed",
    ]
    assert "RuntimeError: a secret of the inside" in written


def test_a_busy_port_is_one_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        process, _ = start(port=port)
        out, error = process.communicate(timeout=20)
    assert process.returncode != 0
    assert out == ""
    assert error == f"Port {port} is in use: stop what listens there, or choose another port with --port.\n"


def test_what_keeps_the_application_from_opening_is_one_sentence() -> None:
    process, port = start("refuse=No graph today.")
    out, error = process.communicate(timeout=20)
    assert (process.returncode, out, error) == (1, "", "No graph today.\n")
    assert not listens(port)


def test_a_second_signal_ends_at_once() -> None:
    with serving("quiet=1") as edge, edge.open("/flood", receive_buffer=65536) as stuck:
        read_until(stuck, b"xxx")
        edge.process.send_signal(signal.SIGTERM)
        until(lambda: not listens(edge.port))
        edge.process.send_signal(signal.SIGTERM)
        assert edge.process.wait(2) == 1
