"""What is a joined installation's own: a worker's events and hints through the server, and a server that goes away."""

import asyncio
import stat
from collections.abc import AsyncIterator
from contextvars import ContextVar

import pytest

from robyn_server.errors import StartupError, Unavailable
from robyn_server.events.hub import hub
from robyn_server.events.hub.address import SOCKET_FILE, connected
from robyn_server.events.hub.link import HubLink
from robyn_server.events.hub.log import JoinedEventLog
from robyn_server.events.hub.messages import PROTOCOL, Decoder, encoded
from robyn_server.events.hub.notifier import JoinedNotifier
from robyn_server.events.interfaces import EventLog
from robyn_server.resources.event import END_OF_RUN, START, RunEvent
from tests.conformance.events.conftest import Installation
from tests.waiting import eventually

T, R = "thread", "run"


async def collect(batches: AsyncIterator[list[RunEvent]]) -> list[RunEvent]:
    async with asyncio.timeout(10):
        return [entry async for batch in batches for entry in batch]


def numbers(entries: list[RunEvent]) -> list[int]:
    return [int(entry.data) for entry in entries if entry.event != END_OF_RUN]


def put(log: EventLog, *given: int, resumable: bool = True) -> None:
    for number in given:
        log.append(T, R, 1, resumable, [("values", b"%d" % number)])


def test_messages_come_out_as_they_went_in_however_they_are_cut() -> None:
    blobs = [b"", b"\x00\xff", b"x" * 5_000]
    data = encoded("append", 7, {"a": None}, blobs=blobs) + encoded("queued") + encoded("kept", 9)
    for step in (1, 3, 17, 4_096, len(data)):
        decoder = Decoder()
        found = [one for at in range(0, len(data), step) for one in decoder.feed(data[at : at + step])]
        assert [one.words for one in found] == [["append", 7, {"a": None}], ["queued"], ["kept", 9]]
        assert list(found[0].blobs) == blobs


async def test_what_a_worker_appends_the_server_s_readers_see_as_it_comes(
    installation: Installation, joined: JoinedEventLog
) -> None:
    assert stat.S_IMODE((installation.folder / SOCKET_FILE).stat().st_mode) == 0o600
    cursor = await installation.log.tail(T)
    reading = installation.log.follow(T, cursor, R)
    for number in range(20):
        put(joined, number, resumable=False)
        async with asyncio.timeout(5):
            assert numbers(await anext(reading)) == [number]
    joined.end(T, R, 1, False, b"result")
    assert (await collect(reading))[-1].data == b"result"


async def test_ids_grow_whoever_appends(installation: Installation, joined: JoinedEventLog) -> None:
    await installation.log.open(T)
    for number in range(0, 100, 2):
        put(joined, number)
        put(installation.log, number + 1)
        await asyncio.sleep(0)
    await joined.kept()
    entries = await collect(joined.follow(T, START, stored_only=True))
    ids = [entry.id for entry in entries]
    assert ids == sorted(set(ids)) and sorted(numbers(entries)) == list(range(100))


@pytest.mark.parametrize("resumable", [True, False])
async def test_runs_go_on_without_a_server_and_it_finds_their_events(
    installation: Installation, joined: JoinedEventLog, resumable: bool
) -> None:
    put(joined, 0, 1, resumable=resumable)
    await joined.kept()
    await installation.stop()
    with pytest.raises(Unavailable):
        await joined.tail(T)
    put(joined, 2, 3, resumable=resumable)
    async with asyncio.timeout(1):
        await joined.room()
    await installation.serve()
    joined.end(T, R, 1, resumable)
    await joined.kept()
    stored = [0, 1, 2, 3] if resumable else [2, 3]
    assert numbers(await collect(installation.log.follow(T, START, stored_only=True))) == stored


async def test_what_was_stored_before_the_server_died_is_not_stored_twice(installation: Installation) -> None:
    """The worker has not heard that it was kept."""
    link = await installation.link()
    log = JoinedEventLog(link)
    cursor = await log.tail(T)
    put(log, *range(50))
    await installation.log.open(T)
    reading = installation.log.follow(T, cursor, R)
    async with asyncio.timeout(5):
        while numbers(await anext(reading))[-1] < 49:
            pass
    await installation.log.kept()
    await installation.stop()
    put(log, 50)
    await installation.serve()
    log.end(T, R, 1, True)
    entries = await collect(installation.log.follow(T, cursor, R))
    assert numbers(entries) == list(range(51))


@pytest.mark.parametrize("resumable", [True, False])
@pytest.mark.parametrize("ended", [True, False])
async def test_what_the_server_took_before_the_connection_broke_is_not_taken_twice(
    installation: Installation, monkeypatch: pytest.MonkeyPatch, resumable: bool, ended: bool
) -> None:
    """The worker has not heard that it was kept."""
    monkeypatch.setattr(hub, "KEPT_AFTER", 3_600)
    log = JoinedEventLog(await installation.link())
    cursor = await log.tail(T)
    put(log, 0, 1, resumable=resumable)
    if ended:
        log.end(T, R, 1, resumable)
    taken = 3 if ended else 2
    reading = installation.log.follow(T, cursor)
    seen: list[RunEvent] = []
    async with asyncio.timeout(5):
        while len(seen) < taken:
            seen += await anext(reading)
    installation.hang_up()
    put(log, 2, resumable=resumable)
    async with asyncio.timeout(5):
        while seen[-1].data != b"2":
            seen += await anext(reading)
    await reading.aclose()
    assert numbers(seen) == [0, 1, 2] and len(seen) == taken + 1
    await log.kept()


async def test_a_connection_that_breaks_again_after_a_restart_does_no_harm(
    installation: Installation,
) -> None:
    """What the worker sends comes twice from the earlier server's time, and each time it is known."""
    runs = ["one", "two"]
    await say(installation, "worker", 0, runs)
    await installation.stop()
    await installation.serve()
    for count in (1, 2, 2):
        await say(installation, "worker", 2, runs[:count])
    entries = await collect(installation.log.follow(T, START, stored_only=True))
    assert [(one.run_id, one.event) for one in entries] == [
        (run, event) for run in runs for event in ("values", END_OF_RUN)
    ]


async def say(installation: Installation, link: str, again: int, runs: list[str]) -> None:
    """As a worker that has one batch of each run to send, until it hears that they are kept."""
    connection = await connected(installation.folder)
    hello = {"protocol": PROTOCOL, "schema": "1", "again": again, "link": link}
    connection.writer.write(encoded("hello", hello))
    for serial, run in enumerate(runs, 1):
        names = ["values", END_OF_RUN]
        connection.writer.write(encoded("append", serial, "", T, run, 1, True, 0, names, blobs=[b"1", b""]))
    connection.writer.write(encoded("flush"))
    async with asyncio.timeout(5):
        async for message in connection.messages:
            if message.words == ["kept", len(runs)]:
                break
    connection.writer.close()


async def test_the_server_keeps_entries_in_the_context_of_the_run(installation: Installation) -> None:
    """A project's encryption may keep other keys for other customers."""
    entered = installation.entered
    context: ContextVar[str] = ContextVar("context")
    log = JoinedEventLog(await installation.link(context=context.get))
    for customer in ("ada", "bob"):
        context.set(customer)
        put(log, 0)
    await log.kept()
    assert entered == ["ada", "bob"]


async def test_hints_go_both_ways_and_to_the_other_workers(installation: Installation) -> None:
    notifiers = [JoinedNotifier(await installation.link()) for _ in range(2)]
    heard: list[tuple[int, str]] = []
    for number, notifier in enumerate(notifiers):
        notifier.on_run_queued(lambda number=number: heard.append((number, "queued")))
        notifier.on_cancel_requested(lambda run_id, number=number: heard.append((number, run_id)))
    installation.notifier.run_queued()
    installation.notifier.cancel_requested("a")
    await eventually(lambda: len(heard) == 4, "the workers were not told")
    notifiers[0].run_queued()
    notifiers[0].cancel_requested("b")
    await eventually(lambda: len(heard) == 8, "the other worker was not told")
    assert sorted(heard) == sorted((n, said) for n in (0, 1) for said in ("queued", "a", "queued", "b"))


async def test_a_worker_of_another_version_is_turned_away(installation: Installation) -> None:
    refused = asyncio.Event()
    await installation.link(refused.set)
    await installation.stop()
    await installation.serve(schema="2")
    async with asyncio.timeout(5):
        await refused.wait()
    with pytest.raises(StartupError, match="another version"):
        await HubLink(installation.folder, "1").start()
    assert (await installation.log.tail(T)) == START


async def test_a_worker_waits_for_its_server(installation: Installation) -> None:
    await installation.stop()
    waiting = asyncio.create_task(installation.link())
    await asyncio.sleep(0)
    await installation.serve()
    assert (await waiting).server == {"host": "127.0.0.1", "port": 1}
