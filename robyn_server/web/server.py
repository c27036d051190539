"""One HTTP server process, from the check of its port to its last signal.

Import it freely: Robyn, which reads the command line when imported, is loaded inside `run_server`.
"""

import asyncio
import logging
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import uvloop

from robyn_server.settings import Settings
from robyn_server.web import blocking_threads, listening
from robyn_server.web.access_log import AccessLog
from robyn_server.web.application import Application
from robyn_server.web.cors import CorsPolicy
from robyn_server.web.dispatch import Dispatcher
from robyn_server.web.route_table import RouteTable

if TYPE_CHECKING:
    from robyn.robyn import Server

    from robyn_server.web.shutdown import Shutdown
    from robyn_server.web.worker_pinning import WorkerPinning


def run_server(
    settings: Settings,
    open_application: Callable[[], Awaitable[Application]],
    *,
    cors: CorsPolicy | None = None,
    ready: Callable[[], None] | None = None,
) -> None:
    """Serve until a signal says otherwise; the process ends here, with exit code 0 after an orderly shutdown.

    `open_application` is awaited on the loop that will serve, before the port is bound; what it raises is raised.
    `ready` is called once the port answers. Raises `StartupError` for a port or a route table that cannot be served.
    """
    listening.refuse_busy_port(settings.host, settings.port)
    listening.raise_file_limit()
    loop = uvloop.new_event_loop()
    asyncio.set_event_loop(loop)
    application = loop.run_until_complete(_opened(open_application))
    table = RouteTable(application.surfaces, settings.mount_prefix)
    cors = cors or CorsPolicy(allow_origins=settings.cors_origins)
    parts = loop.run_until_complete(_assemble(settings, application, table, cors))
    parts.mount_refusals(table)
    everything = blocking_threads.show_one_cpu()

    async def go_up() -> None:
        parts.shutdown.install()
        await parts.pinning.run(settings.own_address, settings.port)
        blocking_threads.show_all_cpus(everything)
        parts.shutdown.install()
        if ready is not None:
            ready()

    going_up = loop.create_task(go_up())
    going_up.add_done_callback(parts.shutdown.leave_on_failure)
    parts.listen(loop, settings)


async def _opened(open_application: Callable[[], Awaitable[Application]]) -> Application:
    return await open_application()


@dataclass(frozen=True, slots=True)
class Parts:
    """What `run_server` has put together."""

    server: "Server"
    pinning: "WorkerPinning"
    shutdown: "Shutdown"

    def mount_refusals(self, table: RouteTable) -> None:
        """See `RobynAdapter`; between runs of the loop."""
        from robyn_server.web.robyn_adapter import RobynAdapter  # noqa: PLC0415 - see `_assemble`

        RobynAdapter.mount_refusals(self.server, table)

    def listen(self, loop: asyncio.AbstractEventLoop, settings: Settings) -> None:
        """Bind the port and serve on the loop; does not return."""
        from robyn.robyn import SocketHeld  # noqa: PLC0415 - see `_assemble`

        held = SocketHeld(settings.host, settings.port)
        listening.tune(settings.port)
        with _given_to_robyn(loop):
            self.server.start(held, settings.web_workers)  # type: ignore[call-arg]


async def _assemble(
    settings: Settings, application: Application, table: RouteTable, cors: CorsPolicy
) -> Parts:
    with _own_arguments_hidden():
        # Robyn parses sys.argv when it is imported.
        from robyn.robyn import Headers, Server  # noqa: PLC0415

        from robyn_server.web.robyn_adapter import RobynAdapter  # noqa: PLC0415
        from robyn_server.web.shutdown import Shutdown  # noqa: PLC0415
        from robyn_server.web.streaming import StreamHub  # noqa: PLC0415
        from robyn_server.web.worker_pinning import WorkerPinning  # noqa: PLC0415

    for name in ("actix_server", "actix_http", "robyn"):
        logging.getLogger(name).setLevel(logging.WARNING)
    workers = settings.web_workers
    hub = StreamHub(settings.stream_heartbeat.total_seconds(), blocking_threads.capacity(workers))
    writes_lines = logging.getLogger(__name__).isEnabledFor(logging.INFO)
    log = AccessLog(settings.log_format, writes_lines, application.metrics, application.logged_headers)
    dispatcher = Dispatcher(application, table, settings.max_body_bytes)
    adapter = RobynAdapter(dispatcher, hub, cors, log, settings.max_streams)
    pinning = WorkerPinning(workers)
    server = Server()
    server.apply_request_headers(Headers({}))
    server.apply_response_headers(Headers({}))
    pinning.mount(server)
    if application.custom is None:
        adapter.mount(server, table)
    else:
        application.custom.surround(dispatcher, table, cors, settings.mount_prefix)
        adapter.mount_custom(server, application.custom)
    shutdown = Shutdown(application, dispatcher, adapter, hub, log, settings)
    return Parts(server, pinning, shutdown)


@contextmanager
def _own_arguments_hidden() -> Iterator[None]:
    arguments, sys.argv = sys.argv, sys.argv[:1]
    try:
        yield
    finally:
        sys.argv = arguments


@contextmanager
def _given_to_robyn(loop: asyncio.AbstractEventLoop) -> Iterator[None]:
    """Robyn asks for a new loop and serves on it; it gets the one on which the application was opened."""
    make_loop = asyncio.new_event_loop

    def give() -> asyncio.AbstractEventLoop:
        asyncio.new_event_loop = make_loop
        return loop

    asyncio.new_event_loop = give
    try:
        yield
    finally:
        asyncio.new_event_loop = make_loop
