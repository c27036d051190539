"""Every setting, read once, frozen, cross-checked. No other module reads the environment.

Order: command line > real environment > `env` of langgraph.json > `.env` beside it. Each field is
documented in `docs/reference/settings.md`; a test compares the two.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Literal

from robyn_server.environment import Sources, read_sources
from robyn_server.environment_values import (
    Wrong,
    address,
    aes_key,
    api_keys,
    boolean,
    days_above_zero,
    json_object,
    lanes,
    one_of,
    path,
    postgres_uri,
    prefix,
    redis_uri,
    seconds,
    seconds_above_zero,
    text,
    whole,
    words,
)
from robyn_server.errors import StartupError

AuthMode = Literal["none", "supabase", "apikey", "custom"]


@dataclass(frozen=True, slots=True)
class Settings:
    """One server's settings. Durations are timedeltas, sizes bytes."""

    config_path: Path = Path("langgraph.json")
    data_dir: Path = Path(".data")
    host: str = "127.0.0.1"
    port: int = 8081
    log_level: str = "INFO"
    log_format: Literal["json", "console"] = "console"

    auth_mode: AuthMode = "none"
    allow_unauthenticated: bool = False
    supabase_url: str | None = None
    supabase_key: str | None = field(default=None, repr=False)
    supabase_jwt_secret: str | None = field(default=None, repr=False)
    service_keys: tuple[str, ...] = field(default=(), repr=False)
    api_keys: tuple[tuple[str, str, bool], ...] = field(default=(), repr=False)
    """(sha256 of a key in hex, whose it is, whether that is an administrator)"""
    admin_user_ids: tuple[str, ...] = ()
    allow_query_token: bool = False
    secret_key: str | None = field(default=None, repr=False)
    secret_config_keys: tuple[str, ...] = ()
    aes_key: bytes | None = field(default=None, repr=False)
    webhook_secret: str | None = field(default=None, repr=False)

    embeddings_base_url: str | None = None
    embeddings_key: str | None = field(default=None, repr=False)
    embeddings_model: str | None = None
    embeddings_dimensions: int = 1536

    slots: int = 256
    lane_slots: tuple[tuple[str, int], ...] = ()
    lease: timedelta = timedelta(seconds=30)
    heartbeat: timedelta = timedelta(seconds=5)
    run_time_limit: timedelta = timedelta(seconds=86_400)
    run_retries: int = 3
    pending_per_thread: int = 1_000
    recursion_limit: int | None = None
    shutdown_grace: timedelta = timedelta(seconds=30)
    shutdown_delay: timedelta = timedelta(seconds=3)
    cron_tick: timedelta = timedelta(seconds=5)
    crons_enabled: bool = True
    thread_ttl: Mapping[str, Any] | None = None
    run_retention: timedelta | None = None
    checkpoints_per_thread: int | None = None

    max_body_bytes: int = 314_572_800
    rate_limit: int | None = None
    max_streams: int = 5_000
    stream_heartbeat: timedelta = timedelta(seconds=5)
    cors_origins: tuple[str, ...] = ("*",)
    cors_config: Mapping[str, Any] | None = None
    mount_prefix: str = ""
    web_workers: int = 2

    resumable_ttl: timedelta = timedelta(seconds=600)
    ring_bytes_per_thread: int = 4 << 20
    ring_bytes: int = 256 << 20
    spill_bytes: int = 1 << 30
    durability_full: bool = False
    checkpoint_pickle_fallback: bool | None = None
    database_uri: str | None = field(default=None, repr=False)
    database_connections: int = 16
    redis_uri: str | None = field(default=None, repr=False)
    redis_patience: timedelta = timedelta(seconds=10)
    no_worker: bool = False
    worker_processes: int = 0
    worker_port: int | None = None

    @property
    def own_address(self) -> str:
        """The IP address at which this machine reaches the server."""
        address = ip_address(self.host)
        if address.is_unspecified:
            return "127.0.0.1" if address.version == 4 else "::1"
        return str(address)

    @property
    def own_url(self) -> str:
        """Where this machine reaches the server."""
        address = self.own_address
        host = f"[{address}]" if ":" in address else address
        return f"http://{host}:{self.port}{self.mount_prefix}"


@dataclass(frozen=True, slots=True)
class Variable:
    """How one field is set: the environment variables that name it (the first that is set wins)."""

    field: str
    names: tuple[str, ...]
    read: Callable[[str], Any]


VARIABLES = (
    Variable("config_path", (), path),
    Variable("data_dir", ("DATA_DIR",), path),
    Variable("host", ("ROBYN_HOST",), address),
    Variable("port", ("ROBYN_PORT", "PORT"), whole(1, 65_535)),
    Variable("log_level", ("LOG_LEVEL",), one_of("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")),
    Variable("log_format", ("LOG_FORMAT",), one_of("console", "json")),
    Variable("auth_mode", ("AUTH_MODE",), one_of("none", "supabase", "apikey", "custom")),
    Variable("allow_unauthenticated", ("ALLOW_UNAUTHENTICATED",), boolean),
    Variable("supabase_url", ("SUPABASE_URL",), lambda value: value.rstrip("/")),
    Variable("supabase_key", ("SUPABASE_KEY", "SUPABASE_SECRET"), text),
    Variable("supabase_jwt_secret", ("SUPABASE_JWT_SECRET",), text),
    Variable("service_keys", ("SERVICE_KEYS",), words),
    Variable("api_keys", ("API_KEYS",), api_keys),
    Variable("admin_user_ids", ("ADMIN_USER_IDS",), words),
    Variable("allow_query_token", ("ALLOW_QUERY_TOKEN",), boolean),
    Variable("secret_key", ("SECRET_KEY",), text),
    Variable("secret_config_keys", ("SECRET_CONFIG_KEYS",), words),
    Variable("aes_key", ("LANGGRAPH_AES_KEY",), aes_key),
    Variable("webhook_secret", ("WEBHOOK_SECRET",), text),
    Variable("embeddings_base_url", ("EMBEDDINGS_BASE_URL",), text),
    Variable("embeddings_key", ("EMBEDDINGS_KEY", "OPENAI_API_KEY"), text),
    Variable("embeddings_model", ("EMBEDDINGS_MODEL",), text),
    Variable("embeddings_dimensions", ("EMBEDDINGS_DIMENSIONS",), whole(1)),
    Variable("slots", ("N_JOBS_PER_WORKER",), whole(1)),
    Variable("lane_slots", ("LANE_SLOTS",), lanes),
    Variable("lease", ("RUN_LEASE_SECONDS",), seconds_above_zero),
    Variable("heartbeat", ("RUN_HEARTBEAT_SECONDS",), seconds_above_zero),
    Variable("run_time_limit", ("BG_JOB_TIMEOUT_SECS",), seconds_above_zero),
    Variable("run_retries", ("BG_JOB_MAX_RETRIES",), whole(0)),
    Variable("pending_per_thread", ("MAX_PENDING_RUNS_PER_THREAD",), whole(1)),
    Variable("recursion_limit", ("LANGGRAPH_DEFAULT_RECURSION_LIMIT",), whole(1)),
    Variable("shutdown_grace", ("SHUTDOWN_GRACE_SECONDS",), seconds),
    Variable("shutdown_delay", ("SHUTDOWN_DELAY_SECONDS",), seconds),
    Variable("cron_tick", ("CRON_SCHEDULER_SLEEP_TIME",), seconds_above_zero),
    Variable("crons_enabled", ("FF_CRONS_ENABLED",), boolean),
    Variable("thread_ttl", ("LANGGRAPH_THREAD_TTL",), json_object),
    Variable("run_retention", ("RUN_RETENTION_DAYS",), days_above_zero),
    Variable("checkpoints_per_thread", ("CHECKPOINTS_PER_THREAD",), whole(1)),
    Variable("max_body_bytes", ("HTTP_MAX_REQUEST_BODY_BYTES",), whole(1)),
    Variable("rate_limit", ("RATE_LIMIT_PER_MINUTE",), whole(1)),
    Variable("max_streams", ("MAX_STREAMS",), whole(1)),
    Variable("stream_heartbeat", ("STREAM_HEARTBEAT_SECONDS",), seconds_above_zero),
    Variable("cors_origins", ("CORS_ALLOW_ORIGINS", "CORS_ORIGINS"), words),
    Variable("cors_config", ("CORS_CONFIG",), json_object),
    Variable("mount_prefix", ("MOUNT_PREFIX",), prefix),
    Variable("web_workers", ("ROBYN_WORKERS",), whole(1, 64)),
    Variable("resumable_ttl", ("RESUMABLE_STREAM_TTL_SECONDS",), seconds),
    Variable("ring_bytes_per_thread", ("EVENT_RING_BYTES_PER_THREAD",), whole(1)),
    Variable("ring_bytes", ("EVENT_RING_BYTES",), whole(1)),
    Variable("spill_bytes", ("EVENT_SPILL_BYTES",), whole(0)),
    Variable("durability_full", ("DURABILITY_FULL",), boolean),
    Variable("checkpoint_pickle_fallback", ("CHECKPOINT_PICKLE_FALLBACK",), boolean),
    Variable("database_uri", ("DATABASE_URI", "POSTGRES_URI"), postgres_uri),
    Variable("database_connections", ("DATABASE_CONNECTIONS",), whole(2)),
    Variable("redis_uri", ("REDIS_URI",), redis_uri),
    Variable("redis_patience", ("REDIS_PATIENCE_SECONDS",), seconds),
    Variable("no_worker", ("NO_WORKER",), boolean),
    Variable("worker_processes", (), whole(0, 64)),
    Variable("worker_port", ("WORKER_PORT",), whole(1, 65_535)),
)


def read_settings(overrides: Mapping[str, str], environ: Mapping[str, str]) -> Settings:
    """The settings of this process; `overrides` are fields given on the command line, as text.

    Raises `StartupError` for a value that cannot be read and for combinations that cannot work.
    """
    sources = read_sources(path(overrides.get("config_path", "langgraph.json")), environ)
    values: dict[str, Any] = {}
    for variable in VARIABLES:
        given = find(variable, overrides, sources.merged)
        if given is None:
            continue
        name, value = given
        try:
            values[variable.field] = variable.read(value)
        except Wrong as wrong:
            shown = f"{name}={value}" if Settings.__dataclass_fields__[variable.field].repr else name
            raise StartupError(f"{shown} cannot be used: it must be {wrong}.") from None
    values.setdefault("mount_prefix", prefix(sources.mount_prefix or ""))
    if sources.database_url:
        values.setdefault("database_uri", sources.database_url)
    values["no_worker"] = values.get("no_worker", False) or values.get("worker_processes", 0) > 0
    values.setdefault("auth_mode", chosen_auth_mode(values, sources))
    settings = Settings(**values)
    check_together(settings, sources)
    return settings


def find(
    variable: Variable, overrides: Mapping[str, str], environ: Mapping[str, str]
) -> tuple[str, str] | None:
    """Where the value comes from, as its user spelled it, and the value. An empty variable is not set."""
    if variable.field in overrides:
        return f"--{variable.field.removesuffix('_path').replace('_', '-')}", overrides[variable.field]
    for name in variable.names:
        if environ.get(name):
            return name, environ[name]
    return None


def chosen_auth_mode(values: Mapping[str, Any], sources: Sources) -> AuthMode:
    """The mode when AUTH_MODE says nothing."""
    if sources.auth_path:
        return "custom"
    if values.get("supabase_url") or values.get("supabase_jwt_secret"):
        return "supabase"
    return "apikey" if values.get("api_keys") else "none"


def check_together(settings: Settings, sources: Sources) -> None:
    """Raises `StartupError` for settings that are fine alone and cannot work together."""
    if settings.auth_mode == "supabase" and not (settings.supabase_url or settings.supabase_jwt_secret):
        raise StartupError(
            "AUTH_MODE=supabase needs SUPABASE_URL (with SUPABASE_KEY) or SUPABASE_JWT_SECRET: set one."
        )
    if settings.auth_mode == "apikey" and not settings.api_keys:
        raise StartupError("AUTH_MODE=apikey needs API_KEYS: set it to <sha256 of a key>:<user>.")
    if settings.auth_mode == "custom" and not sources.auth_path:
        raise StartupError(
            f'AUTH_MODE=custom needs "auth": {{"path": "./file.py:auth"}} in {settings.config_path}: add it.'
        )
    if settings.auth_mode == "none" and not is_loopback(settings.host) and not settings.allow_unauthenticated:
        raise StartupError(
            f"Listening on {settings.host} without authentication lets anybody run the graphs: set AUTH_MODE,"
            " listen on 127.0.0.1, or say --allow-unauthenticated."
        )
    if settings.no_worker:
        check_shared(settings, "--worker-processes" if settings.worker_processes else "--no-worker")
    if settings.heartbeat * 2 > settings.lease:
        raise StartupError(
            "RUN_HEARTBEAT_SECONDS must be at most half of RUN_LEASE_SECONDS: change one of them."
        )


def check_shared(settings: Settings, asked: str) -> None:
    """Raises `StartupError` when `asked` is asked for and other processes cannot take part in the work. On SQLite they
    are on this machine and share the data directory."""
    if settings.database_uri is None:
        return
    if settings.redis_uri is None:
        raise StartupError(f"{asked} with DATABASE_URI (PostgreSQL) needs REDIS_URI: set it too.")
    if settings.secret_key is None:
        raise StartupError(f"{asked} needs SECRET_KEY, the same for all servers: set it.")


def is_shared(settings: Settings) -> bool:
    """Whether other processes may work on the same data."""
    return settings.database_uri is not None and settings.redis_uri is not None


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach the address."""
    return ip_address(host).is_loopback
