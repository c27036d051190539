"""`python -m bench.scale`: how many paced runs 1, 2 and 4 worker processes finish in a second.

A run is a second long and does next to nothing: it waits, as for a model. Each worker has few slots, so that slots and
not processors are what is short; then twice the workers should finish twice the runs. Prints one table.
"""

import argparse
import asyncio
from dataclasses import dataclass

import aiohttp

from bench.client import INPUT
from bench.installation import Installation, Services, cpu, installation, services
from tests.waiting import eventually

ENDED = "SELECT status, count(*) FROM run WHERE finished_at IS NOT NULL GROUP BY status"
SPAN = "SELECT extract(epoch FROM max(finished_at) - min(started_at)) FROM run WHERE status = 'success'"
AT_ONCE = 16
"""Clients that queue runs."""


@dataclass(frozen=True, slots=True)
class Figures:
    """Of one number of workers: runs per second from the first start to the last end, and milliseconds of CPU that a
    run costs all workers together, and the server."""

    rate: float
    worker_cpu: float
    api_cpu: float


async def queue(on: Installation, count: int) -> None:
    """Queue so many runs, each on a thread of its own."""
    async with aiohttp.ClientSession(on.api.url) as http:
        turns = iter(range(count))

        async def drive() -> None:
            for _ in turns:
                body = {"assistant_id": "paced", "input": INPUT}
                async with http.post("/threads", json={}) as made:
                    thread_id = (await made.json())["thread_id"]
                async with http.post(f"/threads/{thread_id}/runs", json=body) as answer:
                    answer.raise_for_status()

        await asyncio.gather(*(drive() for _ in range(AT_ONCE)))


async def measure(on: Installation, count: int) -> Figures:
    """Queue the runs and wait for their end."""
    postgres = on.services.postgres
    before = cpu(on.workers), cpu([on.api])
    await queue(on, count)

    def ended() -> bool:
        found = dict(postgres.execute(ENDED, on.database))
        assert set(found) <= {"success"}, f"runs failed: {found}"
        return found == {"success": count}

    await eventually(ended, "runs are missing", 600)
    after = cpu(on.workers), cpu([on.api])
    ((span,),) = postgres.execute(SPAN, on.database)
    worker, api = (1e3 * (late - early) / count for late, early in zip(after, before, strict=True))
    return Figures(count / float(str(span)), worker, api)


def of_workers(shared: Services, workers: int, slots: int, rounds: int) -> Figures:
    """The figures for so many workers; each of their slots gets `rounds` runs."""
    with installation(shared, f"scale{workers}", workers, slots) as on:
        return asyncio.run(measure(on, workers * slots * rounds))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--workers", type=int, nargs="+", default=[1, 2, 4], help="how many, one after another"
    )
    parser.add_argument("--slots", type=int, default=8, help="runs at once of each worker")
    parser.add_argument("--rounds", type=int, default=10, help="runs for each slot")
    asked = parser.parse_args()
    print("| workers | slots | runs per s | of one worker | worker CPU ms per run | server CPU ms per run |")
    print("|---|---|---|---|---|---|")
    first: float | None = None
    with services() as shared:
        for workers in asked.workers:
            found = of_workers(shared, workers, asked.slots, asked.rounds)
            first = first or found.rate / workers
            print(
                f"| {workers} | {workers * asked.slots} | {found.rate:.1f} | {found.rate / first:.2f} |"
                f" {found.worker_cpu:.1f} | {found.api_cpu:.1f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
