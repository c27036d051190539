"""Numbers an operator scrapes from `/metrics`: those of this process, which listens to runs (`engine/hooks.py`) and to
the web room, and those of the queue, which all servers share."""

import platform
import resource
import time
from bisect import bisect_left
from collections import defaultdict, deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from robyn_server.resources.clock import now
from robyn_server.resources.run import Census, Ending, Run
from robyn_server.resources.types import JsonObject
from robyn_server.storage.interfaces import RunQueue

LATENCY_MS = (1, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000, 60_000, 300_000)

CENSUS_KEPT = 1.0
"""Seconds for which an answer of the database is good enough, whoever looks."""

LAGS_KEPT = 240
LAG_COUNTED = 0.05
"""Seconds; below this the loop is busy rather than blocked."""


@dataclass(slots=True)
class Histogram:
    """Counts by upper bound, in milliseconds; the last place is everything beyond."""

    counts: list[int] = field(default_factory=lambda: [0] * (len(LATENCY_MS) + 1))
    total: float = 0.0

    def add(self, value: float) -> None:
        """Count one value."""
        self.counts[bisect_left(LATENCY_MS, value)] += 1
        self.total += value


class Metrics:
    """Counters of one process, since its start; a `RunHook` by shape. Call from the loop's thread."""

    def __init__(self, slots: int) -> None:
        self._slots = slots
        self._started_at = time.time()
        self._requests: dict[tuple[str, str, int], int] = defaultdict(int)
        self._latency: dict[tuple[str, str], Histogram] = defaultdict(Histogram)
        self._runs: dict[str, int] = defaultdict(int)
        self._running: set[str] = set()
        self._lags: deque[float] = deque(maxlen=LAGS_KEPT)
        self._stood_still = 0.0
        self._census = Census()
        self._counted_at = float("-inf")

    def request_ended(self, method: str, path: str, status: int, milliseconds: float) -> None:
        """One HTTP request; `path` is its route's (`/threads/{thread_id}`), "" when there was none."""
        self._requests[method, path, status] += 1
        self._latency[method, path].add(milliseconds)

    def loop_lagged(self, seconds: float) -> None:
        """How late the event loop came to something, looked at four times a second."""
        self._lags.append(seconds)
        if seconds > LAG_COUNTED:
            self._stood_still += seconds

    async def census(self, queue: RunQueue) -> Census:
        """The runs of all servers, as they were a second ago at the most. Raises `Unavailable`."""
        if time.monotonic() - self._counted_at > CENSUS_KEPT:
            self._census = await queue.census(now())
            self._counted_at = time.monotonic()
        return self._census

    def created(self, run: Run) -> None:
        """See `RunHook`."""
        self._runs["created"] += 1

    def started(self, run: Run) -> None:
        """See `RunHook`."""
        self._runs["started"] += 1
        self._running.add(run.run_id)

    def retrying(self, run: Run, error: BaseException) -> None:
        """See `RunHook`."""
        self._back(run, "retried")

    def handed_back(self, run: Run) -> None:
        """See `RunHook`."""
        self._back(run, "handed_back")

    def finished(self, run: Run, ending: Ending, ended_at: datetime) -> None:
        """See `RunHook`."""
        self._runs[ending.status or "rolled_back"] += 1
        self._running.discard(run.run_id)

    def lost(self, run: Run) -> None:
        """See `RunHook`."""
        self._runs["lost"] += 1
        self._running.discard(run.run_id)

    def _back(self, run: Run, moment: str) -> None:
        self._runs[moment] += 1
        self._running.discard(run.run_id)

    def as_json(self, census: Census) -> JsonObject:
        """The form of `/metrics?format=json`."""
        waits = census.pending > 0
        return {
            "queue": {
                "n_pending": census.pending,
                "pending_runs_wait_time_max_secs": census.longest_wait if waits else None,
                "pending_runs_wait_time_med_secs": census.median_wait if waits else None,
                "n_running": census.running,
            },
            "api": {
                "http_requests_total": [
                    {"method": method, "path": path, "status": status, "count": count}
                    for (method, path, status), count in self._requests.items()
                ]
            },
            "workers": self._workers(),
        }

    def as_prometheus(self, census: Census) -> str:
        """The text exposition format."""
        return "\n".join([*self._lines(census), ""])

    def _workers(self) -> JsonObject:
        active = len(self._running)
        return {"max": self._slots, "active": active, "available": max(0, self._slots - active)}

    def _lines(self, census: Census) -> Iterator[str]:
        yield from _gauge("process_start_time_seconds", "Unix time of the start", self._started_at)
        yield from _gauge("process_max_resident_memory_bytes", "Most memory held so far", _peak_memory())
        for key, value in self._workers().items():
            yield from _gauge(f"lg_api_workers_{key}", f"Run slots of this process: {key}", value)
        yield from _queue_lines(census)
        lag, text = max(self._lags, default=0.0), "Longest time the event loop stood still in the last minute"
        yield from _gauge("robyn_server_event_loop_lag_seconds", text, lag)
        yield from _head("robyn_server_event_loop_blocked_seconds_total", "counter", "Time it stood still")
        yield f"robyn_server_event_loop_blocked_seconds_total {self._stood_still}"
        yield from _head("lg_api_runs_total", "counter", "Moments of runs since the start")
        for moment, count in sorted(self._runs.items()):
            yield f"lg_api_runs_total{_labels({'moment': moment})} {count}"
        yield from _head("lg_api_http_requests_total", "counter", "HTTP requests answered")
        for (method, path, status), count in self._requests.items():
            labels = _labels({"method": method, "path": path, "status": str(status)})
            yield f"lg_api_http_requests_total{labels} {count}"
        yield from _head("lg_api_http_requests_latency", "histogram", "HTTP latency, milliseconds")
        for (method, path), histogram in self._latency.items():
            yield from _histogram({"method": method, "path": path}, histogram)


def _queue_lines(census: Census) -> Iterator[str]:
    yield from _gauge("lg_api_num_pending_runs", "Runs that wait, of all servers", census.pending)
    yield from _gauge("lg_api_num_running_runs", "Runs under way, of all servers", census.running)
    yield from _gauge("lg_api_pending_runs_wait_time_max", "Longest wait, seconds", census.longest_wait)
    yield from _gauge("robyn_server_busy_workers", "Workers that hold a lease on a run", census.workers)


def _head(name: str, kind: str, text: str) -> Iterator[str]:
    yield f"# HELP {name} {text}"
    yield f"# TYPE {name} {kind}"


def _gauge(name: str, text: str, value: float) -> Iterator[str]:
    yield from _head(name, "gauge", text)
    yield f"{name} {value}"


def _histogram(labels: Mapping[str, str], histogram: Histogram) -> Iterator[str]:
    name, seen = "lg_api_http_requests_latency", 0
    for bound, count in zip((*LATENCY_MS, "+Inf"), histogram.counts, strict=True):
        seen += count
        yield f"{name}_bucket{_labels({**labels, 'le': str(bound)})} {seen}"
    yield f"{name}_sum{_labels(labels)} {histogram.total}"
    yield f"{name}_count{_labels(labels)} {seen}"


def _labels(labels: Mapping[str, str]) -> str:
    def escaped(value: str) -> str:
        return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")

    return "{" + ",".join(f'{key}="{escaped(value)}"' for key, value in labels.items()) + "}"


def _peak_memory() -> int:
    unit = 1 if platform.system() == "Darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
