"""How long threads live when nobody uses them: what clients ask for, and what the operator says.

The operator says it as `checkpointer.ttl` of langgraph.json or as LANGGRAPH_THREAD_TTL, both `{"default_ttl" (minutes),
"strategy" ("delete" or "keep_latest"), "sweep_interval_minutes", "sweep_limit"}`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from robyn_server.errors import StartupError
from robyn_server.resources.thread import ThreadTtl
from robyn_server.resources.types import Json, JsonObject
from robyn_server.settings import Settings

STRATEGIES = ("delete", "keep_latest")
LONGEST_MINUTES = 100 * 366 * 24 * 60
SWEEP_LIMIT = 1_000
MOST_BETWEEN_SWEEPS = timedelta(minutes=1)
"""Sweeps also finish what deletes have left, so they are never further apart."""


@dataclass(frozen=True, slots=True)
class ThreadTtlRules:
    """The operator's rules. `default`: of threads whose creator says nothing."""

    default: ThreadTtl | None = None
    sweep_every: timedelta = MOST_BETWEEN_SWEEPS
    sweep_limit: int = SWEEP_LIMIT
    """Threads dealt with by one sweep."""


def ttl_rules(settings: Settings, config_file: Mapping[str, Json]) -> ThreadTtlRules:
    """LANGGRAPH_THREAD_TTL, else langgraph.json. Raises `StartupError`."""
    place, section = "LANGGRAPH_THREAD_TTL", settings.thread_ttl
    if section is None:
        place, section = "checkpointer.ttl", (config_file.get("checkpointer") or {}).get("ttl")
    if section is None:
        return ThreadTtlRules()
    if not isinstance(section, Mapping) or section.get("strategy", "delete") not in STRATEGIES:
        raise StartupError(
            f'{place} must be an object such as {{"strategy": "delete", "default_ttl": 43200}}, where the'
            f" strategy is one of {', '.join(STRATEGIES)}: correct it."
        )
    for name in ("default_ttl", "sweep_interval_minutes", "sweep_limit"):
        _check_number(section.get(name), f'"{name}" of {place}')
    interval = timedelta(minutes=section.get("sweep_interval_minutes") or 1)
    return ThreadTtlRules(
        default=thread_ttl({**section, "ttl": section.get("default_ttl")}),
        sweep_every=min(interval, MOST_BETWEEN_SWEEPS),
        sweep_limit=int(section.get("sweep_limit") or SWEEP_LIMIT),
    )


def thread_ttl(asked: JsonObject | None) -> ThreadTtl | None:
    """A `{"ttl": minutes, "strategy"}` object as clients spell it. Longer than `LONGEST_MINUTES` means that long."""
    if not asked or asked.get("ttl") is None:
        return None
    minutes = min(max(asked["ttl"], 0), LONGEST_MINUTES)
    return ThreadTtl(timedelta(minutes=minutes), asked.get("strategy", "delete"))


def _check_number(value: Json, name: str) -> None:
    if value is not None and (isinstance(value, bool) or not isinstance(value, int | float) or value <= 0):
        raise StartupError(f"{name} must be a number above 0: correct it.")
