"""Streams: latency, many at once, clients that leave, clients that do not read."""

import socket
import time
from collections.abc import Iterator

import pytest

from tests.http.edge import Edge, read_until, serving
from tests.waiting import until

IDLE = 1_200
"""More than two workers have threads for."""


@pytest.fixture(scope="module")
def edge() -> Iterator[Edge]:
    with serving("quiet=1") as running:
        yield running


def test_frames_arrive_whole_and_in_order(edge: Edge) -> None:
    answer = edge.client.get("/events?n=200")
    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert answer.headers["content-location"] == "/things/1"
    assert answer.text == "".join(f"event: number\r\ndata: {number}\r\n\r\n" for number in range(200))


def test_the_first_frame_leaves_at_once(edge: Edge) -> None:
    took = []
    for _ in range(20):
        began = time.perf_counter()
        with edge.open("/silent") as connection:
            read_until(connection, b"event: open")
        took.append(time.perf_counter() - began)
    assert sorted(took)[10] < 0.02


def test_a_failing_source_ends_with_an_error_frame(edge: Edge) -> None:
    text = edge.client.get("/failing").text
    assert text.startswith("event: number\r\ndata: 0\r\n\r\nevent: error\r\ndata: {")
    assert '"message":"Internal Server Error"' in text
    assert "secret" not in text


def test_a_json_body_kept_open(edge: Edge) -> None:
    answer = edge.client.get("/late")
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == {"late": True}


def test_heartbeats_also_on_a_busy_stream() -> None:
    with serving("quiet=1", "heartbeat=1.2") as edge, edge.open("/events?n=1000&pause=0.05") as connection:
        text = read_until(connection, b": heartbeat\r\n\r\n")
        text += read_until(connection, b": heartbeat\r\n\r\n")
    assert text.count(b"event: number") > 20


def test_a_client_that_leaves_is_noticed_and_its_source_closed() -> None:
    with serving("quiet=1") as edge:
        edge.client.get("/events?n=3")
        quiet, unread = edge.open("/silent"), edge.open("/silent")
        read_until(quiet, b"event: open")
        quiet.close()
        unread.close()
        until(lambda: edge.seen("disconnects") == 2, "no disconnect", seconds=8)
        until(lambda: edge.seen("sources_closed") == 2, "sources stay open", seconds=1)


def test_a_client_that_does_not_read_holds_its_source_up(edge: Edge) -> None:
    with edge.open("/flood", receive_buffer=65536) as connection:
        read_until(connection, b"xxx")
        level = [0, -1]

        def paused() -> bool:
            level[:] = [level[1], edge.seen("pulled")]
            return level[0] == level[1] and not _grows(edge, level[1])

        until(paused, "the source was never paused")
        assert edge.seen("pulled") < 48 << 20
        reads = 0
        while reads < 32 << 20:
            reads += len(connection.recv(1 << 20))
        until(lambda: edge.seen("pulled") > level[1] + (8 << 20), "the source did not go on")


def _grows(edge: Edge, level: int) -> bool:
    """Whether the counter moves within fifty requests."""
    return any(edge.seen("pulled") != level for _ in range(50))


def test_more_idle_streams_than_threads(edge: Edge) -> None:
    connections: list[socket.socket] = []
    try:
        connections.extend(edge.open("/silent") for _ in range(IDLE))
        for connection in connections:
            read_until(connection, b"event: open", seconds=5)
        began = time.perf_counter()
        assert edge.client.get("/ok").status_code == 200
        assert time.perf_counter() - began < 0.5
        with edge.open("/events?n=1") as another:
            read_until(another, b"data: 0", seconds=1)
    finally:
        for connection in connections:
            connection.close()


def test_no_more_streams_than_allowed() -> None:
    with serving("quiet=1", "max_streams=2") as edge:
        with edge.open("/silent") as one, edge.open("/silent") as two:
            read_until(one, b"event: open")
            read_until(two, b"event: open")
            answer = edge.client.get("/silent")
            assert (answer.status_code, answer.json()) == (503, {"detail": "Too many open streams"})
            assert edge.client.get("/ok").status_code == 200
