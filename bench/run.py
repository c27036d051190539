"""`make bench`: drives a server over HTTP and prints one table; `make bench AGAINST=<git revision>` puts another
revision beside it, in turns, so that other work on the machine disturbs both alike.

Read the CPU column first: it holds on a busy machine too. Client and server share the processors.
"""

import argparse
import asyncio
import statistics
import subprocess
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from bench.client import Client
from bench.server import MeasuredServer

ROOT = Path(__file__).parent.parent
WARM_UP = 10


@dataclass(frozen=True, slots=True)
class Case:
    """`count` requests, `at_once` of them under way at any time."""

    name: str
    work: Callable[[Client], Awaitable[None]]
    at_once: int
    count: int


CASES = (
    Case("GET /ok", Client.ok, 16, 400),
    Case("create a thread", Client.create, 16, 300),
    Case("get a thread", Client.get, 16, 400),
    Case("search threads", Client.search, 16, 200),
    Case("runs/wait, stateless", Client.stateless, 1, 60),
    Case("runs/wait, stateless", Client.stateless, 16, 240),
    Case("new thread + runs/wait", Client.stateful, 1, 40),
    Case("new thread + runs/wait", Client.stateful, 16, 160),
    Case("new thread + stream of 200 tokens", Client.stream, 1, 15),
    Case("new thread + stream of 200 tokens", Client.stream, 32, 64),
)


@dataclass(frozen=True, slots=True)
class Figures:
    """Of one round of a case: microseconds of server CPU for a request, milliseconds, requests per second."""

    cpu: float
    p50: float
    rate: float
    first_token: float | None


async def measure(case: Case, server: MeasuredServer) -> Figures:
    """Drive one round."""
    async with aiohttp.ClientSession(server.url, connector=aiohttp.TCPConnector(limit=0)) as http:
        client = Client(http)
        await client.create()
        for _ in range(WARM_UP):
            await case.work(client)
        client.first_tokens.clear()
        taken: list[float] = []
        turns = iter(range(case.count))

        async def drive() -> None:
            for _ in turns:
                began = time.perf_counter()
                await case.work(client)
                taken.append(time.perf_counter() - began)

        cpu, began = server.cpu(), time.perf_counter()
        await asyncio.gather(*(drive() for _ in range(case.at_once)))
        wall, cpu = time.perf_counter() - began, server.cpu() - cpu
    firsts = client.first_tokens
    return Figures(
        cpu / case.count * 1e6,
        statistics.median(taken) * 1e3,
        case.count / wall,
        statistics.median(firsts) * 1e3 if firsts else None,
    )


def median_of(rounds: list[Figures]) -> Figures:
    """The middle of each figure."""
    firsts = [one.first_token for one in rounds if one.first_token is not None]
    return Figures(
        statistics.median(one.cpu for one in rounds),
        statistics.median(one.p50 for one in rounds),
        statistics.median(one.rate for one in rounds),
        statistics.median(firsts) if firsts else None,
    )


@contextmanager
def revision(name: str) -> Iterator[Path]:
    """A folder with the code of a git revision."""
    with tempfile.TemporaryDirectory() as folder:
        archive = subprocess.run(
            ["git", "archive", name, "robyn_server"], cwd=ROOT, check=True, capture_output=True
        )
        subprocess.run(["tar", "-x", "-C", folder], input=archive.stdout, check=True)
        yield Path(folder)


def row(label: str, at_once: int, found: Figures, other: Figures | None) -> str:
    """One line of the table."""
    first = "" if found.first_token is None else f"{found.first_token:.1f}"
    line = f"| {label} | {at_once} | {found.cpu:,.0f} | {found.p50:.2f} | {first} | {found.rate:,.0f} |"
    return line if other is None else f"{line} {other.cpu:,.0f} | {found.cpu / other.cpu:.2f} |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--against", help="a git revision to compare with")
    parser.add_argument("--rounds", type=int, default=3, help="each figure is the median of so many rounds")
    asked = parser.parse_args()
    with ExitStack() as opened:
        folders = [ROOT, *([opened.enter_context(revision(asked.against))] if asked.against else [])]
        data = [Path(opened.enter_context(tempfile.TemporaryDirectory())) for _ in folders]
        servers = [opened.enter_context(MeasuredServer(*one)) for one in zip(folders, data, strict=True)]
        print("| case | at once | server CPU us | p50 ms | first token ms | per s |", end="")
        print(f" CPU us at {asked.against} | ratio |" if asked.against else "")
        print("|---|---|---|---|---|---|" + ("---|---|" if asked.against else ""))
        for case in CASES:
            rounds: list[list[Figures]] = [[] for _ in servers]
            for turn in range(asked.rounds):
                pairs = list(zip(servers, rounds, strict=True))
                for server, found in pairs if turn % 2 else reversed(pairs):
                    found.append(asyncio.run(measure(case, server)))
            figures = [median_of(found) for found in rounds]
            print(row(case.name, case.at_once, figures[0], figures[1] if asked.against else None), flush=True)
        for server, name in zip(servers, ("this", asked.against), strict=False):
            print(f"\n{name}: up in {server.started_in:.1f} s, {server.memory():.0f} MB at the end")


if __name__ == "__main__":
    main()
