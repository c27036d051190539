"""Every setting, read once from the environment, frozen, cross-checked. No other module reads the environment.

Order: real environment > `env` of langgraph.json > `.env` beside it. Each field is documented in
`docs/reference/settings.md`; a test compares the two.
"""

from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Literal

AuthMode = Literal["none", "supabase", "custom"]


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
    secret_key: str | None = field(default=None, repr=False)
    secret_config_keys: tuple[str, ...] = ()

    slots: int = 256
    lane_slots: tuple[tuple[str, int], ...] = ()
    lease: timedelta = timedelta(seconds=30)
    heartbeat: timedelta = timedelta(seconds=5)
    run_time_limit: timedelta = timedelta(seconds=86_400)
    run_retries: int = 3
    pending_per_thread: int = 1_000
    recursion_limit: int | None = None
    shutdown_grace: timedelta = timedelta(seconds=30)
    cron_tick: timedelta = timedelta(seconds=5)
    crons_enabled: bool = True

    max_body_bytes: int = 314_572_800
    max_streams: int = 5_000
    stream_heartbeat: timedelta = timedelta(seconds=5)
    cors_origins: tuple[str, ...] = ("*",)
    mount_prefix: str = ""
    web_workers: int = 2

    resumable_ttl: timedelta = timedelta(seconds=600)
    ring_bytes_per_thread: int = 4 << 20
    ring_bytes: int = 256 << 20
    spill_bytes: int = 1 << 30
    durability_full: bool = False
