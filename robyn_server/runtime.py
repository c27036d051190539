"""The engine without HTTP: opens every part, joins them, closes them in reverse."""

from dataclasses import dataclass

from robyn_server.auth.interfaces import Auth
from robyn_server.auth.opening import open_auth
from robyn_server.auth.sealing import Sealer
from robyn_server.engine import Engine
from robyn_server.engine.hooks import RunHooks
from robyn_server.engine.parts import Parts
from robyn_server.events.log import InProcessEventLog
from robyn_server.events.notifier import InProcessNotifier
from robyn_server.graphs.config_file import ConfigFile, GraphSpec, read_config_file
from robyn_server.graphs.loader import load
from robyn_server.graphs.registry import GraphRegistry
from robyn_server.observability.metrics import Metrics
from robyn_server.resources.caller import Caller
from robyn_server.resources.clock import now
from robyn_server.settings import Settings
from robyn_server.storage.event_spill import open_spill
from robyn_server.storage.sqlite import open_storage
from robyn_server.worker.duties.cron_scheduler import CronScheduler
from robyn_server.worker.duties.event_sweeper import EventSweeper
from robyn_server.worker.duties.lease_sweeper import LeaseSweeper
from robyn_server.worker.duties.loop import Duty, DutyLoop
from robyn_server.worker.duties.thread_sweeper import ThreadSweeper
from robyn_server.worker.executor import Executor
from robyn_server.worker.worker import Worker

SYSTEM = Caller("system", is_service=True)


@dataclass(frozen=True, slots=True)
class Prepared:
    """What can be had without an event loop."""

    settings: Settings
    config_file: ConfigFile
    graphs: GraphRegistry
    auth: Auth


def prepare(settings: Settings) -> Prepared:
    """Read langgraph.json, import the graphs, open authentication. Raises `StartupError` with one sentence."""
    config_file = read_config_file(settings.config_path)
    graphs = GraphRegistry(config_file)
    section = config_file.section("auth")
    handlers = load(config_file, "auth", GraphSpec(section["path"])) if "path" in section else None
    return Prepared(settings, config_file, graphs, open_auth(settings, handlers, section))


class Runtime:
    """Everything but HTTP, running."""

    def __init__(self, parts: Parts, metrics: Metrics, duties: list[Duty]) -> None:
        self.parts = parts
        self.metrics = metrics
        self.engine = Engine(parts)
        self.worker = Worker(parts, Executor(parts))
        self.draining = False
        self._duties = DutyLoop(duties)

    async def start(self) -> None:
        """Settle what a crash left behind, then begin to work."""
        await self.engine.acting_for(SYSTEM).assistants.register_system_assistants()
        # The data directory is ours alone, so whoever held these leases is dead.
        if await self.parts.storage.queue.release_all():
            await LeaseSweeper(self.parts).run_once(now())
        self.worker.start()
        self._duties.start()

    async def drain(self) -> None:
        """Let runs finish within the grace time and hand the others back."""
        self.draining = True
        await self._duties.stop()
        await self.worker.drain(self.parts.settings.shutdown_grace.total_seconds())

    async def close(self) -> None:
        """Close every part; call after `drain`."""
        await self.parts.log.close()
        await self.parts.auth.close()
        await self.parts.storage.close()


async def open_runtime(prepared: Prepared) -> Runtime:
    """Take the data directory, bring its databases up to date and open every part, on the running loop; nothing runs
    before `start`. Raises `StartupError`."""
    settings = prepared.settings
    storage = await open_storage(settings, store_ttl=prepared.config_file.section("store").get("ttl"))
    spill = open_spill(settings.data_dir)
    log = InProcessEventLog(spill, settings.ring_bytes, settings.ring_bytes_per_thread)
    metrics = Metrics(settings.slots)
    parts = Parts(
        settings=settings,
        storage=storage,
        log=log,
        notifier=InProcessNotifier(),
        graphs=prepared.graphs,
        auth=prepared.auth,
        sealer=Sealer.from_settings(settings),
        hooks=RunHooks([metrics]),
        config_file=prepared.config_file.raw,
    )
    duties: list[Duty] = [
        LeaseSweeper(parts),
        ThreadSweeper(parts),
        EventSweeper(log, spill, settings),
    ]
    if settings.crons_enabled:
        duties.append(CronScheduler(Engine(parts), settings.cron_tick))
    return Runtime(parts, metrics, duties)
