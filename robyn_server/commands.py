"""What the commands do. Imports the whole server; `cli.py` imports it where that is wanted."""

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import uvloop

from robyn_server import __version__, environment, garbage, runtime
from robyn_server.app import Project, open_application, surfaces
from robyn_server.auth.sealing import KEY_FILE, Sealer
from robyn_server.auth.tickets import StreamTickets
from robyn_server.banner import banner
from robyn_server.errors import StartupError, Unavailable
from robyn_server.graphs.check import check as check_graphs
from robyn_server.graphs.config_file import read_config_file
from robyn_server.observability.logging import configure_logging
from robyn_server.observability.metrics import Metrics
from robyn_server.settings import Settings, check_shared, is_shared, read_settings
from robyn_server.storage.backup import back_up
from robyn_server.storage.data_dir import hold_data_dir
from robyn_server.storage.encryption import open_encryption
from robyn_server.storage.migrations import APP_FILE
from robyn_server.storage.opening import describe
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
    listening.refuse_busy_port(listening.resolve(settings.host), settings.port)
    # Held until this process ends, by whatever end.
    hold_data_dir(settings.data_dir)
    # An agent may search the collections of its own server, if the operator names no other.
    environment.provide({"RAG_API_URL": settings.own_url})
    prepared = prepare(settings)

    def is_ready() -> None:
        garbage.collect_what_is_new()
        ready()
        announce(settings, prepared.graphs.ids())

    http = HttpSection.read(prepared.config_file.section("http"), settings.cors_config)
    run_server(settings, lambda: open_application(prepared, http), cors=http.cors, ready=is_ready)
    return 0


def worker(overrides: Overrides, ready: Callable[[], None]) -> int:
    """Execute runs until told to stop; `ready` is called once it can. Raises `StartupError` before that."""
    settings = configured(overrides)
    check_shared(settings, "worker")
    hold_data_dir(settings.data_dir)
    prepared = prepare(settings)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(work(prepared, ready))
    return 0


async def work(prepared: runtime.Prepared, ready: Callable[[], None]) -> None:
    """From start to drain."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    running = await runtime.open_runtime(prepared)
    listener = WorkerListener(running.engine, watched(running))
    try:
        await running.start()
        if prepared.settings.worker_port is not None:
            address = listening.resolve(prepared.settings.host)
            await listener.start(address, prepared.settings.worker_port)
        garbage.collect_what_is_new()
        ready()
        logger.info("Ready to execute runs", extra={"worker": running.worker.worker_id})
        await stop.wait()
        await running.drain()
    finally:
        listener.close()
        await running.close()


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
