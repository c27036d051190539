"""What a run remembers of the request that made it."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class RequestFacts:
    """`headers` are all of the request (lower-case names); which of them reach a run's configurable is decided in
    `engine/run_config.py`. `received_ms` None: nobody asked over HTTP (a cron)."""

    request_id: str | None = None
    received_ms: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    base_url: str = ""


NO_REQUEST = RequestFacts()
