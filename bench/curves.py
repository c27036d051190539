"""`make plots`: latency and throughput against concurrency, for this server, the bare graphs and any other server that
serves `bench/langgraph.json` (`--also reference=http://127.0.0.1:9000`).

Writes `curves.json` and the plots into the folder of `--out`. All that is compared is driven in one sitting by the same
client on the same processors, in turns; each point is the median of the rounds.
"""

import argparse
import asyncio
import json
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import ExitStack, asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import aiohttp
from matplotlib import pyplot

from bench.client import Client, Floor
from bench.graphs import TOKENS
from bench.server import MeasuredServer

ROOT = Path(__file__).parent.parent
AT_ONCE = (1, 2, 4, 8, 16, 32, 64, 128)
SECONDS = 1.0
"""How long one point is driven, at least."""
OURS, FLOOR = "this server", "bare graph"
Work = Callable[[Client | Floor], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Point:
    """One concurrency of one curve. `first_ms`: until the first token; of runs without tokens, of the whole run."""

    at_once: int
    per_s: float
    first_ms: float


@asynccontextmanager
async def driven(url: str | None) -> AsyncIterator[Client | Floor]:
    """Who answers: a server, or the bare graphs."""
    if url is None:
        yield Floor()
        return
    async with aiohttp.ClientSession(url, connector=aiohttp.TCPConnector(limit=0)) as http:
        yield Client(http)


async def point(url: str | None, work: Work, at_once: int) -> Point:
    """Drive one concurrency for `SECONDS`, and every driver at least once."""
    taken: list[float] = []
    async with driven(url) as client:
        await work(client)
        client.first_tokens.clear()
        began = time.perf_counter()

        async def drive() -> None:
            while True:
                asked = time.perf_counter()
                await work(client)
                taken.append(time.perf_counter() - asked)
                if time.perf_counter() - began > SECONDS:
                    return

        await asyncio.gather(*(drive() for _ in range(at_once)))
        wall = time.perf_counter() - began
    return Point(at_once, len(taken) / wall, statistics.median(client.first_tokens or taken) * 1e3)


def curve(rounds: list[list[Point]]) -> list[Point]:
    """The median of each point."""
    return [
        Point(
            same[0].at_once,
            round(statistics.median(one.per_s for one in same), 1),
            round(statistics.median(one.first_ms for one in same), 2),
        )
        for same in zip(*rounds, strict=True)
    ]


CASES: dict[str, tuple[Work, int, str, str]] = {
    "streams": (lambda client: client.stream(), TOKENS, "tokens a second", "first token, ms"),
    "runs": (lambda client: client.stateless(), 1, "runs a second", "whole run, ms"),
}


def measure(servers: dict[str, str | None], rounds: int) -> dict[str, dict[str, list[Point]]]:
    """Every case, for every server."""
    found: dict[str, dict[str, list[Point]]] = {}
    for case, (work, *_) in CASES.items():
        taken: dict[str, list[list[Point]]] = {name: [] for name in servers}
        for _ in range(rounds):
            for name, url in servers.items():
                taken[name].append([asyncio.run(point(url, work, at_once)) for at_once in AT_ONCE])
        found[case] = {name: curve(of_one) for name, of_one in taken.items()}
    return found


def draw(found: dict[str, dict[str, list[Point]]], folder: Path) -> None:
    """One picture a case: throughput on the left, latency on the right."""
    for case, (_, tokens, throughput, latency) in CASES.items():
        figure, (left, right) = pyplot.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
        for name, points in found[case].items():
            at_once = [one.at_once for one in points]
            left.plot(at_once, [one.per_s * tokens for one in points], marker="o", label=name)
            right.plot(at_once, [one.first_ms for one in points], marker="o", label=name)
        for axes, title in ((left, throughput), (right, latency)):
            axes.set(title=title, xlabel="at once", xscale="log", yscale="log", xticks=AT_ONCE)
            axes.set_xticklabels([str(number) for number in AT_ONCE])
            axes.minorticks_off()
            axes.grid(alpha=0.3)
        left.legend()
        figure.savefig(folder / f"{case}.svg", metadata={"Date": None})
        pyplot.close(figure)


def main() -> None:
    """Measure and draw; `--draw-only` draws `curves.json` again."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "plots")
    parser.add_argument("--also", action="append", default=[], metavar="NAME=URL", help="another server")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--draw-only", action="store_true")
    asked = parser.parse_args()
    asked.out.mkdir(parents=True, exist_ok=True)
    figures = asked.out / "curves.json"
    if not asked.draw_only:
        with ExitStack() as opened:
            data = Path(opened.enter_context(tempfile.TemporaryDirectory()))
            server = opened.enter_context(MeasuredServer(ROOT, data))
            others = dict(one.split("=", 1) for one in asked.also)
            found = measure({OURS: server.url, FLOOR: None, **others}, asked.rounds)
        plain = {
            case: {name: [asdict(one) for one in points] for name, points in curves.items()}
            for case, curves in found.items()
        }
        figures.write_text(json.dumps(plain, indent=1) + "\n")
    kept = json.loads(figures.read_text())
    draw(
        {
            case: {name: [Point(**one) for one in points] for name, points in curves.items()}
            for case, curves in kept.items()
        },
        asked.out,
    )


if __name__ == "__main__":
    main()
