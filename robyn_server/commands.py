"""What the commands do. Imports the whole server; `cli.py` imports it where that is wanted."""

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import uvloop

from robyn_server import __version__, environment, garbage, runtime
from robyn_server.app import Project, open_application, surfaces
from robyn_server.auth.sealing import KEY_FILE, Sealer
from robyn_server.auth.tickets import StreamTickets
from robyn_server.banner import banner
from robyn_server.errors import StartupError, Unavailable
from robyn_server.events.hub.link import HubLink
from robyn_server.graphs.config_file import read_config_file
from robyn_server.observability.logging import configure_logging
from robyn_server.observability.metrics import Metrics
from robyn_server.settings import Settings, check_shared, is_shared, read_settings
from robyn_server.storage.backup import back_up
from robyn_server.storage.data_dir import hold_data_dir, join_data_dir
from robyn_server.storage.encryption.context import SEALING_CONTEXT
from robyn_server.storage.encryption.opening import open_encryption
from robyn_server.storage.migrations import APP_FILE
from robyn_server.storage.opening import describe, refuse_steps, schema
from robyn_server.storage.opening import migrate as bring_up_to_date
from robyn_server.surfaces.system.routes import System
from robyn_server.web import listening
from robyn_server.web.http_section import HttpSection
from robyn_server.web.route_table import RouteTable
from robyn_server.web.routing import Handler
from robyn_server.web.server import run_server
from robyn_server.web.worker_listener import WorkerListener

logger = logging.getLogger(__name__)

Overrides = Mapping[str, str]
"""Fields of `Settings` that were given on the command line, as text."""


def serve(overrides: Overrides, ready: Callable[[], None]) -> int:
    """Serve until told to stop; `ready` is called once the port is bound. Raises `StartupError` before that."""
    settings = configured(overrides)
    if is_shared(settings) and settings.secret_key is None:
        logger.warning(
            "SECRET_KEY is not set: other servers on this database cannot open what this one seals, the secrets of"
            " runs and stream tickets. Set the same for all."
        )
    listening.refuse_busy_port(settings.host, settings.port)
    # Held until this process ends, by whatever end.
    held = hold_data_dir(settings.data_dir, for_workers=settings.no_worker)
    if held.workers_alive:
        refuse_steps(settings.data_dir)
    # An agent may search the collections of its own server, if the operator names no other.
    environment.provide({"RAG_API_URL": settings.own_url})
    prepared = prepare(settings)

    def is_ready() -> None:
        garbage.collect_what_is_new()
        ready()
        announce(settings, prepared.graphs.ids())

    http = HttpSection.read(prepared.config_file.section("http"), settings.cors_config)
    run_server(
        settings, lambda: open_application(prepared, http, held.workers_alive), cors=http.cors, ready=is_ready
    )
    return 0


def worker(overrides: Overrides, ready: Callable[[], None]) -> int:
    """Execute runs until told to stop; `ready` is called once it can. Raises `StartupError` before that."""
    settings = replace(configured(overrides), no_worker=False)
    check_shared(settings, "worker")
    # Until there is a server this process is none of its workers: it may bring the databases up to date.
    joined = join_data_dir(settings.data_dir)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        stop, host = asyncio.Event(), settings.host
        link: HubLink | None = None
        if settings.database_uri is None:
            joined.release()
            link = HubLink(settings.data_dir, schema(), on_refused=stop.set, context=SEALING_CONTEXT.get)
            if not runner.run(before(stop, link.start())):
                return 0
            join_data_dir(settings.data_dir)
            settings = replace(settings, **link.server)
            environment.provide({"RAG_API_URL": settings.own_url})
        # Not on the running loop: what a project's modules do when they are imported is theirs.
        runner.run(work(prepare(settings), host, ready, stop, link))
    return 0


async def work(
    prepared: runtime.Prepared,
    host: str,
    ready: Callable[[], None],
    stop: asyncio.Event,
    link: HubLink | None,
) -> None:
    """From start to drain. `host` is where those who watch the worker find it."""
    with on_signals(stop):
        running = await runtime.open_runtime(prepared, link)
        listener = WorkerListener(running.engine, watched(running))
        try:
            await running.start()
            if prepared.settings.worker_port is not None:
                await listener.start(host, prepared.settings.worker_port)
            garbage.collect_what_is_new()
            ready()
            logger.info("Ready to execute runs", extra={"worker": running.worker.worker_id})
            await stop.wait()
            await running.drain()
        finally:
            listener.close()
            await running.close()


@contextmanager
def on_signals(stop: asyncio.Event) -> Iterator[None]:
    """Signals set the event. Elsewhere they end the process: a loop that stands still would lose them."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    try:
        yield
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_DFL)


async def before(stop: asyncio.Event, work: Coroutine[Any, Any, None]) -> bool:
    """Whether `work` was done before it was told to stop. Raises what it raises."""
    doing, stopping = asyncio.create_task(work), asyncio.create_task(stop.wait())
    with on_signals(stop):
        done, left = await asyncio.wait((doing, stopping), return_when=asyncio.FIRST_COMPLETED)
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)
    return doing in done and doing.result() is None


def watched(running: runtime.Runtime) -> dict[str, Handler]:
    """What a worker answers to those who watch it, by path."""
    system = System(running.metrics, lambda _: {}, lambda: running.draining, __version__)
    return {"/ok": system.ok, "/metrics": system.numbers}


def prepare(settings: Settings) -> runtime.Prepared:
    """`runtime.prepare`, with the warnings about langgraph.json logged. Raises `StartupError`."""
    prepared = runtime.prepare(settings)
    for warning in prepared.config_file.warnings:
        logger.warning("%s", warning)
    return prepared


def check(overrides: Overrides) -> int:
    """Print what loads and what does not; 1 when something that is needed does not."""
    # Reads the dependencies' files, which no server does.
    from robyn_server.graphs.check import check as check_graphs  # noqa: PLC0415

    report = check_graphs(configured(overrides).config_path, os.environ)
    for line in report.lines:
        say(line)
    return 0 if report.ok else 1


def routes(overrides: Overrides) -> int:
    """Print the table of routes, as the project's section `http` leaves it. Raises `StartupError`."""
    settings = configured(overrides)
    section = environment.read_sources(settings.config_path, os.environ).section("http")
    project = Project(HttpSection.read(section, settings.cors_config), settings.mount_prefix)
    tickets = StreamTickets(Sealer(b"opens nothing"))
    served = surfaces(Metrics(slots=0), lambda: False, tickets, project)
    table = sorted(
        (place.path, place.route.method, place.route.summary)
        for place in RouteTable(served, project.prefix).places
    )
    width = max(len(path) for path, _, _ in table)
    for path, method, summary in table:
        say(f"{method:<7} {path:<{width}}  {summary}".rstrip())
    return 0


def migrate(overrides: Overrides) -> int:
    """Bring the database up to date. Raises `StartupError`."""
    settings = configured(overrides)
    held = hold_data_dir(settings.data_dir)
    try:
        steps = asyncio.run(bring_up_to_date(settings))
    finally:
        held.release()
    say(f"{describe(settings)}: {steps} step(s) applied, the database is up to date.")
    return 0


def move(overrides: Overrides, source: str, target: str) -> int:
    """Copy a data directory into PostgreSQL. Raises `StartupError`."""
    data_dir, uri = addresses(source, target)
    settings = replace(configured(overrides), data_dir=data_dir, database_uri=None)
    if not (data_dir / APP_FILE).is_file():
        raise StartupError(f"There is no database in {data_dir}: name the server's data directory.")
    # The driver is not for every command.
    from robyn_server.storage.moving import move as copy_all  # noqa: PLC0415

    held = hold_data_dir(data_dir)
    try:
        encryption = open_encryption(settings, encryption_handlers(settings))
        rows = copy_all(data_dir, uri, encryption.cipher, say)
        if encryption.contexts is not None:
            asyncio.run(encryption.contexts.close())
    finally:
        held.release()
    say(
        f"{rows:,} rows copied and counted: the servers may start on {describe(replace(settings, database_uri=uri))}."
    )
    if not settings.secret_key and (data_dir / KEY_FILE).is_file():
        say(
            f"Secrets of runs and crons are sealed with {data_dir / KEY_FILE}: give every server's data directory"
            " a copy of this file."
        )
    return 0


def addresses(source: str, target: str) -> tuple[Path, str]:
    """The folder of `sqlite:DIR`, and the address of `postgresql:URI` (or just the URI). Raises `StartupError`."""
    kind, _, folder = source.partition(":")
    scheme, _, rest = target.partition(":")
    if kind != "sqlite" or not folder:
        raise StartupError("--from must be sqlite: and a data directory, such as sqlite:.data.")
    if scheme not in ("postgresql", "postgres") or not rest:
        raise StartupError(
            "--to must be the address of a PostgreSQL database, such as postgresql://user@host/agents."
        )
    return Path(folder), target if rest.startswith("//") else rest


def encryption_handlers(settings: Settings) -> object | None:
    """What langgraph.json names, where there is one. Raises `StartupError`."""
    sources = environment.read_sources(settings.config_path, os.environ)
    if not sources.section("encryption").get("path"):
        return None
    return runtime.encryption_handlers(read_config_file(settings.config_path, sources.merged))


def backup(overrides: Overrides, target: Path) -> int:
    """Copy the databases, also while a server works on them. Raises `StartupError`."""
    settings = configured(overrides)
    if settings.database_uri is not None:
        raise StartupError("The data is in PostgreSQL: back it up with pg_dump.")
    data_dir = settings.data_dir
    try:
        copies = back_up(data_dir, target) if data_dir.is_dir() else []
    except Unavailable as error:
        raise StartupError(error.message) from error
    if not copies:
        raise StartupError(f"There is no database in {data_dir}: name the server's folder with --data-dir.")
    for copy in copies:
        say(f"{copy} ({copy.stat().st_size} bytes)")
    return 0


def configured(overrides: Overrides) -> Settings:
    """The settings, with the project's variables shown to its graphs and logging as wished."""
    settings = read_settings(overrides, os.environ)
    environment.provide(environment.read_sources(settings.config_path, os.environ).project)
    configure_logging(settings)
    return settings


def announce(settings: Settings, graph_ids: tuple[str, ...]) -> None:
    """Say that the server is ready: to a person, or as one log line where machines read."""
    storage = describe(settings)
    if settings.database_uri is not None:
        storage += ", events in Redis" if is_shared(settings) else ", events in this process: one server only"
    if settings.log_format == "json":
        logger.info("Ready", extra={"address": settings.own_url, "graphs": graph_ids, "storage": storage})
        return
    sys.stdout.write(banner(settings, graph_ids, storage))
    sys.stdout.flush()


def say(line: str) -> None:
    """A line of a command's answer."""
    sys.stdout.write(f"{line}\n")
