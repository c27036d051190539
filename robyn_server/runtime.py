"""The engine without HTTP: opens every part, joins them, closes them in reverse."""

import asyncio
import os
from collections.abc import Mapping
from dataclasses import dataclass

from robyn_server.auth.interfaces import Auth
from robyn_server.auth.opening import open_auth
from robyn_server.auth.sealing import STREAM_TICKETS, Sealer
from robyn_server.auth.tickets import StreamTickets
from robyn_server.engine import Engine
from robyn_server.engine.hooks import RunHooks
from robyn_server.engine.parts import Parts
from robyn_server.engine.thread_ttl import ttl_rules
from robyn_server.engine.webhook_policy import WebhookPolicy
from robyn_server.environment import read_sources
from robyn_server.errors import StartupError
from robyn_server.events.hub.hub import EventHub, ServerFacts
from robyn_server.events.hub.link import HubLink
from robyn_server.events.hub.log import JoinedEventLog
from robyn_server.events.hub.notifier import JoinedNotifier
from robyn_server.events.interfaces import EventLog, Notifier
from robyn_server.events.log import InProcessEventLog
from robyn_server.events.notifier import InProcessNotifier
from robyn_server.graphs.checkpointer_section import checkpointer_source
from robyn_server.graphs.config_file import ConfigFile, GraphSpec, read_config_file
from robyn_server.graphs.loader import load
from robyn_server.graphs.registry import GraphRegistry
from robyn_server.graphs.store_section import store_index, store_index_name, store_ttl
from robyn_server.observability.metrics import Metrics
from robyn_server.observability.tracing import redact_traces, send_last_traces
from robyn_server.resources.caller import Caller
from robyn_server.settings import Settings
from robyn_server.storage.checkpoints.serializer import SerdeOptions
from robyn_server.storage.encryption.events import EventSealing
from robyn_server.storage.encryption.opening import Encryption, open_encryption
from robyn_server.storage.event_spill import open_spill
from robyn_server.storage.named_object import Named
from robyn_server.storage.opening import open_storage, schema
from robyn_server.storage.persistence import Persistence
from robyn_server.storage.store.sql_store import StoreOptions
from robyn_server.worker.duties.checkpoint_pruner import CheckpointPruner
from robyn_server.worker.duties.clock_reader import ClockReader
from robyn_server.worker.duties.cron_scheduler import CronScheduler
from robyn_server.worker.duties.event_sweeper import EventSweeper
from robyn_server.worker.duties.lease_sweeper import LeaseSweeper
from robyn_server.worker.duties.loop import Duty, DutyLoop
from robyn_server.worker.duties.loop_lag import LoopLag
from robyn_server.worker.duties.run_sweeper import RunSweeper
from robyn_server.worker.duties.store_embedder import StoreEmbedder
from robyn_server.worker.duties.store_sweeper import StoreSweeper
from robyn_server.worker.duties.thread_sweeper import ThreadSweeper
from robyn_server.worker.executor import Executor
from robyn_server.worker.webhook import WebhookSender
from robyn_server.worker.webhook_options import WebhookOptions
from robyn_server.worker.worker import Worker

SYSTEM = Caller("system", is_service=True)
WEBHOOKS_MAY_TAKE = 2.0
TRACES_MAY_TAKE = 1.0
"""Seconds, at shutdown; all that closes has five together."""

WORKERS_MAY_TAKE = 4.0
"""Seconds beyond the grace time until worker processes have handed back their runs."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """What can be had without an event loop."""

    settings: Settings
    config_file: ConfigFile
    graphs: GraphRegistry
    auth: Auth
    persistence: Persistence
    webhook_policy: WebhookPolicy
    webhook_options: WebhookOptions
    encryption_handlers: object | None = None
    """What `encryption.path` of langgraph.json names."""


def prepare(settings: Settings) -> Prepared:
    """Read langgraph.json, import the graphs, open authentication. Raises `StartupError` with one sentence."""
    variables = read_sources(settings.config_path, os.environ).merged
    config_file = read_config_file(settings.config_path, variables)
    redact_traces(settings)
    graphs = GraphRegistry(config_file)
    handlers = _loaded(config_file, "auth", config_file.named("auth"))
    return Prepared(
        settings,
        config_file,
        graphs,
        open_auth(settings, handlers, config_file.section("auth"), config_file.place("auth")),
        _persistence(settings, config_file),
        *_webhooks(settings, config_file, variables),
        encryption_handlers=encryption_handlers(config_file),
    )


def encryption_handlers(config_file: ConfigFile) -> object | None:
    """What `encryption.path` of langgraph.json names. Raises `StartupError`."""
    return _loaded(config_file, "encryption", config_file.named("encryption"))


def _loaded(config_file: ConfigFile, label: str, spec: GraphSpec | None) -> object | None:
    return None if spec is None else load(config_file, label, spec)


def _persistence(settings: Settings, config_file: ConfigFile) -> Persistence:
    section, place = config_file.section("checkpointer"), config_file.place("checkpointer")
    rules = ttl_rules(settings, config_file.raw).default
    keep = settings.checkpoints_per_thread
    saver = _named(config_file, "checkpointer", checkpointer_source(config_file))
    if saver is not None and keep not in (None, 1):
        raise StartupError(
            f"CHECKPOINTS_PER_THREAD={keep} cannot be used with a checkpointer of your own: make it 1 or unset it."
        )
    prunes = keep is not None or (rules is not None and rules.strategy == "keep_latest")
    own_store = config_file.named("store")
    # A store of the project's own embeds by itself, so the function is not even loaded.
    index = store_index(config_file) if own_store is None else None
    return Persistence(
        StoreOptions(store_ttl(config_file), index, store_index_name(config_file)),
        SerdeOptions.from_config(section.get("serde") or {}, settings.checkpoint_pickle_fallback, place),
        custom_store=_named(config_file, "store", own_store),
        custom_checkpointer=saver,
        needs=("prune",) if prunes else (),
    )


def _named(config_file: ConfigFile, section: str, spec: GraphSpec | None) -> Named | None:
    if spec is None:
        return None
    place = f'"{section}.path" in {spec.place} ({spec.target})'
    return Named(place, load(config_file, f'"{section}.path"', spec))


def _webhooks(
    settings: Settings, config_file: ConfigFile, variables: Mapping[str, str]
) -> tuple[WebhookPolicy, WebhookOptions]:
    section = config_file.section("webhooks")
    policy = WebhookPolicy.from_config(section, callers_are_known=settings.auth_mode != "none")
    options = WebhookOptions.from_config(
        section,
        variables,
        secret=settings.webhook_secret,
        enabled=not config_file.section("http").get("disable_webhooks"),
    )
    return policy, options


class Runtime:
    """Everything but HTTP, running."""

    def __init__(
        self,
        parts: Parts,
        metrics: Metrics,
        duties: list[Duty],
        webhooks: WebhookSender,
        *,
        hub: EventHub | None = None,
        nobody_else: bool = False,
    ) -> None:
        self.parts = parts
        self.metrics = metrics
        self.engine = Engine(parts)
        self.worker = Worker(parts, Executor(parts))
        self.draining = False
        self._duties = DutyLoop(duties, parts.storage.now)
        self._webhooks = webhooks
        self._hub = hub
        self._nobody_else = nobody_else

    async def start(self) -> None:
        """Settle what a crash left behind, then begin to work."""
        await self.engine.acting_for(SYSTEM).assistants.register_system_assistants()
        # When nobody else works on the data, whoever held these leases is dead.
        if self._nobody_else and await self.parts.storage.queue.release_all():
            await LeaseSweeper(self.parts).run_once(self.parts.storage.now())
        if self._hub is not None:
            await self._hub.listen()
        if not self.parts.settings.no_worker:
            self.worker.start()
        self._duties.start()

    async def drain(self) -> None:
        """Let runs finish within the grace time and hand the others back."""
        self.draining = True
        await self._duties.stop()
        if not self.parts.settings.no_worker:
            await self.worker.drain(self.parts.settings.shutdown_grace.total_seconds())
        elif self._hub is not None and self.parts.settings.worker_processes:
            # They were told to stop at the same moment.
            await self._hub.left(self.parts.settings.shutdown_grace.total_seconds() + WORKERS_MAY_TAKE)

    async def close(self) -> None:
        """Close every part; call after `drain`."""
        await self._webhooks.close(WEBHOOKS_MAY_TAKE)
        await send_last_traces(TRACES_MAY_TAKE)
        if self._hub is not None:
            await self._hub.close()
        await self.parts.notifier.close()
        await self.parts.log.close()
        await self.parts.auth.close()
        await self.parts.storage.close()


@dataclass(frozen=True, slots=True)
class Events:
    """The log, the hints, and what keeps the log small."""

    log: EventLog
    notifier: Notifier
    duties: tuple[Duty, ...] = ()
    hub: EventHub | None = None


async def open_events(settings: Settings, encryption: Encryption, link: HubLink | None = None) -> Events:
    """On PostgreSQL with Redis: shared by all servers. In a worker process that has joined a server: the server's.
    Else of this process, where workers may join when it executes no runs itself. Raises `StartupError`."""
    if link is not None:
        return Events(JoinedEventLog(link), JoinedNotifier(link))
    if settings.database_uri is not None and settings.redis_uri is not None:
        # The client costs a tenth of a second, which a server on its own does not need.
        from robyn_server.events.redis.opening import open_shared_events  # noqa: PLC0415

        return Events(*await open_shared_events(settings, EventSealing(encryption.cipher)))
    spill = open_spill(settings.data_dir, encryption.cipher)
    log = InProcessEventLog(spill, settings.ring_bytes, settings.ring_bytes_per_thread)
    notifier = InProcessNotifier()
    about = ServerFacts(schema(), settings.host, settings.port)
    enter = encryption.contexts.enter_again if encryption.contexts is not None else None
    hub = EventHub(settings.data_dir, log, spill, notifier, about, enter) if settings.no_worker else None
    return Events(log, notifier, (EventSweeper(log, spill, settings),), hub)


async def open_runtime(
    prepared: Prepared, link: HubLink | None = None, *, workers_alive: bool = False
) -> Runtime:
    """Bring the databases up to date and open every part, on the running loop; nothing runs before `start`. With `link`
    (begun): as a worker of the server that it leads to. `workers_alive`: others have been at work on the data directory
    before. Raises `StartupError`."""
    settings = prepared.settings
    joined = link is not None or settings.no_worker
    # Its handlers may take their time, also for the checks that storage makes when it opens.
    encryption = await asyncio.to_thread(
        open_encryption, settings, prepared.encryption_handlers, prepared.config_file.place("encryption")
    )
    storage = await open_storage(settings, prepared.persistence, encryption, shared=joined)
    events = await open_events(settings, encryption, link)
    metrics = Metrics(settings.slots)
    parts = Parts(
        settings=settings,
        storage=storage,
        log=events.log,
        notifier=events.notifier,
        graphs=prepared.graphs,
        auth=prepared.auth,
        sealer=Sealer.from_settings(settings),
        tickets=StreamTickets(Sealer.from_settings(settings, STREAM_TICKETS)),
        hooks=RunHooks([metrics]),
        config_file=prepared.config_file.raw,
        webhook_policy=prepared.webhook_policy,
    )
    webhooks = WebhookSender(prepared.webhook_policy, prepared.webhook_options, parts.base_url)
    parts.hooks.add(webhooks)
    duties: list[Duty] = [
        LeaseSweeper(parts),
        ThreadSweeper(parts),
        StoreSweeper(parts),
        StoreEmbedder(parts),
        *events.duties,
        LoopLag(metrics),
        ClockReader(parts),
    ]
    if settings.crons_enabled:
        duties.append(CronScheduler(Engine(parts), settings.cron_tick))
    if settings.run_retention is not None:
        duties.append(RunSweeper(parts, settings.run_retention))
    if settings.checkpoints_per_thread is not None:
        pruner = CheckpointPruner(parts, settings.checkpoints_per_thread)
        parts.hooks.add(pruner)
        duties.append(pruner)
    nobody_else = not storage.shared or (events.hub is not None and not workers_alive)
    return Runtime(parts, metrics, duties, webhooks, hub=events.hub, nobody_else=nobody_else)
