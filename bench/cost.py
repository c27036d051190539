"""`python -m bench.cost`: what a run costs the things that all nodes share: statements and transactions of PostgreSQL,
commands and bytes of Redis; and the CPU of the nodes. Counts do not depend on how busy the machine is.

What the nodes do without any run (polls, sweeps) is counted beforehand and taken off. Prints one table.
"""

import argparse
import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import astuple, dataclass

import aiohttp
from redis import Redis

from bench.client import Client
from bench.installation import Installation, cpu, installation, services

IDLE_SECONDS = 20.0
STATEMENTS = """SELECT coalesce(sum(calls), 0), coalesce(sum(rows), 0), coalesce(sum(wal_bytes), 0)
FROM pg_stat_statements s JOIN pg_database d ON d.oid = s.dbid
WHERE d.datname = current_database() AND query !~* '^(begin|commit|rollback|savepoint|release|deallocate|set|show)'"""
TRANSACTIONS = (
    """SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = current_database()"""
)
NAMES = (
    "SQL statements", "rows", "WAL bytes", "transactions", "Redis commands", "bytes to Redis", "bytes from Redis",
    "worker CPU ms", "server CPU ms",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Counts:
    """In the order of `NAMES`."""

    statements: float
    rows: float
    wal: float
    transactions: float
    commands: float
    received: float
    sent: float
    worker_ms: float
    server_ms: float

    def minus(self, other: "Counts") -> "Counts":
        """What has come since."""
        return Counts(*(mine - theirs for mine, theirs in zip(astuple(self), astuple(other), strict=True)))

    def times(self, factor: float) -> "Counts":
        """So many times as much."""
        return Counts(*(factor * mine for mine in astuple(self)))


def counts(on: Installation, redis: Redis) -> Counts:
    """All counters now."""
    ((calls, rows, wal),) = on.services.postgres.execute(STATEMENTS, on.database)
    ((transactions,),) = on.services.postgres.execute(TRANSACTIONS, on.database)
    info = redis.info()
    told = (calls, rows, wal, transactions, info["total_commands_processed"],
            info["total_net_input_bytes"], info["total_net_output_bytes"])  # fmt: skip
    return Counts(*(float(str(one)) for one in told), 1e3 * cpu(on.workers), 1e3 * cpu([on.api]))


CASES: tuple[tuple[str, Callable[[Client], Awaitable[None]]], ...] = (
    ("`runs/wait`, stateless", Client.stateless),
    ("new thread and `runs/wait`", Client.stateful),
    ("new thread and stream of 200 tokens", Client.stream),
)


async def drive(
    on: Installation, work: Callable[[Client], Awaitable[None]], count: int, at_once: int
) -> None:
    """`count` times, `at_once` at any time."""
    async with aiohttp.ClientSession(on.api.url) as http:
        client, turns = Client(http), iter(range(count))

        async def one_after_another() -> None:
            for _ in turns:
                await work(client)

        await asyncio.gather(*(one_after_another() for _ in range(at_once)))


def measure(on: Installation, count: int, at_once: int) -> list[tuple[str, Counts]]:
    """Per run, case by case."""
    found = []
    with Redis.from_url(on.services.redis.uri) as redis:
        asyncio.run(drive(on, Client.stateful, 20, 4))
        before = counts(on, redis)
        time.sleep(IDLE_SECONDS)
        idle = counts(on, redis).minus(before).times(1 / IDLE_SECONDS)
        found.append(("nothing, for a second", idle))
        for name, work in CASES:
            before, began = counts(on, redis), time.monotonic()
            asyncio.run(drive(on, work, count, at_once))
            # Statistics of PostgreSQL reach the view within a second of the transaction.
            time.sleep(1.5)
            passed = time.monotonic() - began
            spent = counts(on, redis).minus(before).minus(idle.times(passed))
            found.append((name, spent.times(1 / count)))
    return found


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=100, help="runs of each case")
    parser.add_argument("--at-once", type=int, nargs="+", default=[1, 16], help="clients, one after another")
    asked = parser.parse_args()
    print("| at once | case | " + " | ".join(NAMES) + " |")
    print("|---|---|" + "---|" * len(NAMES))
    with services() as shared, installation(shared, "cost", workers=1, slots=64) as on:
        on.services.postgres.execute("CREATE EXTENSION IF NOT EXISTS pg_stat_statements", on.database)
        for at_once in asked.at_once:
            for name, found in measure(on, asked.count, at_once):
                cells = " | ".join(f"{one:,.1f}" if one < 100 else f"{one:,.0f}" for one in astuple(found))
                print(f"| {at_once} | {name} | {cells} |", flush=True)


if __name__ == "__main__":
    main()
