"""What is PostgreSQL's own: other event loops, threads, a database that goes away, several servers at once."""

import asyncio
import signal
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from robyn_server.errors import InvalidRequest, StartupError, Unavailable
from robyn_server.resources.assistant import NewAssistant
from robyn_server.settings import Settings
from robyn_server.storage.checkpoints import upkeep_postgres
from robyn_server.storage.db import Transition
from robyn_server.storage.encryption.cipher import AesGcm, DerivedKeys
from robyn_server.storage.encryption.opening import Encryption
from robyn_server.storage.migrations import STEPS
from robyn_server.storage.migrations.postgres import COUNTED, migrate
from robyn_server.storage.opening import describe
from robyn_server.storage.opening import open_storage as open_any_storage
from robyn_server.storage.postgres import PostgresStorage, open_storage
from robyn_server.storage.run_queue import claim_statement
from robyn_server.storage.store.schema import STEPS as STORE_STEPS
from tests.conformance.storage.queue_scenes import Queue
from tests.postgres_server import PostgresServer

ALL_STEPS = sum(map(len, COUNTED.values())) + len(STORE_STEPS)
"""The store's twice: documents are one too."""
LEASE = timedelta(seconds=30)
SLEEPING = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep%' AND pid <> pg_backend_pid()"


@pytest.fixture
def own_server() -> Iterator[PostgresServer]:
    """A server that the test may stop."""
    server = PostgresServer({"synchronous_commit": "on"})
    yield server.start()
    server.end()


async def test_the_heartbeat_of_another_event_loop(postgres: PostgresServer) -> None:
    storage = await open_storage(Settings(database_uri=postgres.database("loops")))
    await Queue(storage).add("t")
    (run,) = await storage.queue.claim("w", LEASE, {"default": 1})

    def in_a_thread() -> list[str]:
        with asyncio.Runner() as runner:
            beats = [runner.run(storage.queue.heartbeat("w", LEASE, [run.run_id])) for _ in range(3)]
        return [held.run_id for beat in beats for held in beat]

    assert await asyncio.to_thread(in_a_thread) == [run.run_id] * 3
    await storage.close()
    await storage.close()
    with pytest.raises(Unavailable):
        await storage.ready()


async def test_a_restart_of_the_database_is_waited_for(own_server: PostgresServer) -> None:
    storage = await open_storage(Settings(database_uri=own_server.uri()))
    queue = Queue(storage)
    for thread_id in ("a", "b", "c"):
        await queue.add(thread_id)
    own_server.stop(signal.SIGQUIT)
    own_server.start()
    runs = await asyncio.gather(*(storage.runs.latest(thread_id) for thread_id in ("a", "b", "c")))
    assert [run.status for run in runs if run] == ["pending"] * 3
    await queue.add("d")
    own_server.stop()
    with pytest.raises(Unavailable):
        await queue.add("e")
    await storage.close()


async def test_servers_that_start_together_migrate_once(postgres: PostgresServer) -> None:
    uri = postgres.database("together")
    assert sorted(await asyncio.gather(*(migrate(uri) for _ in range(4)))) == [0, 0, 0, ALL_STEPS]
    counted = postgres.execute("SELECT count(*), max(version) FROM schema_version", "together")
    assert counted == [(len(STEPS), len(STEPS))]
    postgres.execute("INSERT INTO schema_version VALUES (99)", "together")
    with pytest.raises(StartupError, match="newer server"):
        await migrate(uri)


async def test_a_database_that_is_not_there() -> None:
    with pytest.raises(StartupError, match="The database agents at 127.0.0.1:1 cannot be reached"):
        await open_storage(Settings(database_uri="postgresql://ada:pw@127.0.0.1:1/agents"))


def test_a_description_shows_no_password() -> None:
    uri = "postgresql+asyncpg://ada:pw@db.example:5433/agents"
    assert describe(Settings(database_uri=uri)) == "PostgreSQL agents at db.example:5433"


async def test_what_the_database_does_not_take_is_the_callers_mistake(postgres: PostgresServer) -> None:
    storage = await open_storage(Settings(database_uri=postgres.database("mistakes")))
    new = NewAssistant(
        assistant_id="a", graph_id="g", name="n\0", description=None, config={}, context={}, metadata={}
    )
    with pytest.raises(InvalidRequest):
        await storage.assistants.create(new)
    await storage.close()


async def test_a_write_goes_on_when_nobody_waits_for_it(postgres: PostgresServer) -> None:
    storage = await open_storage(Settings(database_uri=postgres.database("writes")))

    def slow() -> Transition[None]:
        yield "SELECT pg_sleep(0.2)", ()
        yield "INSERT INTO namespace(path) VALUES ('a.')", ()

    writing = asyncio.create_task(storage._db.write(slow))
    async with asyncio.timeout(5):
        while await asyncio.to_thread(postgres.execute, SLEEPING, "writes") != [(1,)]:
            pass
    writing.cancel()
    await asyncio.wait([writing])
    await storage.close()
    assert postgres.execute("SELECT path FROM namespace", "writes") == [("a.",)]


@pytest.fixture
async def crowded(postgres: PostgresServer, tmp_path: Path) -> PostgresStorage:
    """Many runs behind one another, and no statistics."""
    storage = await open_storage(Settings(database_uri=postgres.database("crowded")))
    postgres.execute(
        """INSERT INTO thread(thread_id, status, last_failed, has_next, settled, copied, created_at, updated_at,
            metadata, config, interrupts)
        SELECT 't' || n, 'busy', false, false, false, false, now(), now(), '{}', '{}', '{}'
        FROM generate_series(1, 1000) n""",
        "crowded",
    )
    postgres.execute(
        """INSERT INTO run(run_id, thread_id, assistant_id, graph_id, status, multitask_strategy, resumable,
            temporary, created_at, updated_at, run_at, ev_from, caller, metadata, kwargs)
        SELECT 'r' || n, 't' || (n % 1000 + 1), 'a', 'g', 'pending', 'enqueue', false, true, now(), now(),
            now(), '0-0', '{}', '{}', '{}' FROM generate_series(1, 20000) n""",
        "crowded",
    )
    return storage


async def test_the_claim_goes_by_the_indexes(crowded: PostgresStorage, postgres: PostgresServer) -> None:
    def explain() -> Transition[list[str]]:
        yield crowded._db.dialect.pin, ()
        rows = yield "EXPLAIN " + claim_statement(crowded._db.dialect), ("default", 8, "w", 30)
        return [line for (line,) in rows]

    plan = "\n".join(await crowded._db.read(explain))
    for index in ("run_due on run r", "run_active on run x", "run_due_thread on run y"):
        assert f"using {index}" in plan, plan
    assert "Sort" not in plan and "Seq Scan" not in plan, plan
    await crowded.close()


async def test_documents_are_a_store_of_their_own(postgres: PostgresServer) -> None:
    storage = await open_storage(Settings(database_uri=postgres.database("documents")))
    await storage.store.aput(("a",), "memory", {"content": "blue"})
    await storage.documents.aput(("a",), "document", {"content": "the blue whale"})
    await storage.documents.aput(("a",), "other", {"content": "a red brick"})
    assert [item.key for item in await storage.store.asearch(("a",))] == ["memory"]
    # Often enough that the driver prepares the statements, which both stores have in common.
    for _ in range(12):
        found = await storage.documents.asearch(("a",), query="blue")
        assert [item.key for item in found] == ["document", "other"]
        assert await storage.store.aget(("a",), "document") is None
    await asyncio.to_thread(storage.documents.put, ("b",), "third", {"content": "x"})
    assert await storage.store.alist_namespaces() == [("a",)]
    await storage.close()


async def test_what_servers_seal_with_is_agreed_on(postgres: PostgresServer) -> None:
    settings = Settings(database_uri=postgres.database("sealed"))
    mine = Encryption(AesGcm(DerivedKeys(bytes(32))))
    await (await open_storage(settings)).close()
    # As different servers: each has data keys of its own.
    many = await asyncio.gather(
        *(open_storage(settings, None, Encryption(AesGcm(DerivedKeys(bytes(32))))) for _ in range(4))
    )
    await many[0].store.aput(("a",), "k", {"word": "quetzalcoatl"})
    for storage in many:
        (found,) = await storage.store.asearch(("a",), filter={"word": "quetzalcoatl"})
        assert found.key == "k"
    assert postgres.execute("SELECT count(*) FROM sealed_with", "sealed") == [(1,)]
    assert "quetzalcoatl" not in str(postgres.execute("SELECT value::text FROM item", "sealed"))
    for storage in many:
        await storage.close()
    with pytest.raises(StartupError, match="sealed at .* is encrypted: set LANGGRAPH_AES_KEY"):
        await open_any_storage(settings)
    with pytest.raises(StartupError, match="another key"):
        await open_any_storage(settings, encryption=Encryption(AesGcm(DerivedKeys(bytes(range(32))))))
    await (await open_any_storage(settings, encryption=mine)).close()


async def test_no_upkeep_compares_everything_with_everything(postgres: PostgresServer) -> None:
    """As NOT IN does once its list does not fit work_mem."""
    storage = await open_storage(Settings(database_uri=postgres.database("upkeep")))

    def explained(work: Transition[None]) -> Transition[list[str]]:
        plans: list[str] = []
        sql, parameters = next(work)
        while True:
            rows = yield "EXPLAIN " + sql, parameters
            plans.append("\n".join(line for (line,) in rows))
            try:
                # As if each had found something to drop.
                sql, parameters = work.send([("", "2", None, False), ("", "1", None, False)])
            except StopIteration:
                return plans

    plans = await storage.checkpoints._db.write(lambda: explained(upkeep_postgres.keep_latest("t", 1)))
    await storage.close()
    assert len(plans) == 6
    assert not any("NOT (" in plan for plan in plans), plans
