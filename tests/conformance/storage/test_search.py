"""Searches of many rows: what they find, and that they find it without reading everything."""

import random
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import orjson
import pytest

from robyn_server.resources.metadata_filter import contains, parse_filter
from robyn_server.resources.thread import NewThread, StateOutcome, ThreadSearch
from robyn_server.storage.db import Db, Start, Transition
from robyn_server.storage.dialect import Dialect, SqliteDialect
from robyn_server.storage.interfaces import Storage
from robyn_server.storage.meta_index import entries
from robyn_server.storage.migrations import APP_FILE, migrate, step_002_list_members
from robyn_server.storage.sqlite_connection import connect, run_transition
from robyn_server.storage.threads import ORDERS, ThreadTable

T = TypeVar("T")

MANY = 20_000


class WatchedDb:
    """A database that keeps the plan of each statement, and how many steps the virtual machine took."""

    def __init__(self, path: Path) -> None:
        self.dialect: Dialect = SqliteDialect()
        self.plans: list[list[tuple[int, str]]] = []
        self.thousands = 0
        self._connection = connect(path)
        self._connection.set_progress_handler(self._count, 1000)

    async def read(self, start: Start[T]) -> T:
        return run_transition(self._connection, lambda: self._watched(start))

    write = glance = read

    def close(self) -> None:
        self._connection.close()

    def _count(self) -> int:
        self.thousands += 1
        return 0

    def _watched(self, start: Start[T]) -> Transition[T]:
        transition = start()
        rows: list[Any] = []
        try:
            statement = next(transition)
            while True:
                sql, parameters = statement
                plan = self._connection.execute(f"EXPLAIN QUERY PLAN {sql}", parameters).fetchall()
                self.plans.append([(parent, step) for _, parent, _, step in plan])
                rows = yield statement
                statement = transition.send(rows)
        except StopIteration as stop:
            result: T = stop.value
            return result


def thread_id(number: int) -> str:
    return f"{number:08x}-0000-7000-8000-000000000000"


def fill(path: Path, count: int) -> None:
    """`count` threads: ten owners, one tenant, a number of their own, 1 in 1000 interrupted; 20 KB of values."""
    values = orjson.dumps({"text": "x" * 20_000}).decode()
    with closing(connect(path, synchronous="OFF")) as connection:
        connection.execute("BEGIN")
        connection.executemany(
            "INSERT INTO thread (thread_id, status, last_failed, has_next, settled, copied, created_at, updated_at,"
            ' state_updated_at, metadata, config, interrupts, "values")'
            " VALUES (?, ?, 0, 0, 1, 0, ?, ?, ?, ?, '{}', '{}', ?)",
            (
                (
                    thread_id(number),
                    "idle" if number % 1000 else "interrupted",
                    *[float(number)] * 3,
                    orjson.dumps(metadata_of(number)).decode(),
                    values if number % 100 == 0 else None,
                )
                for number in range(count)
            ),
        )
        connection.executemany("INSERT INTO meta_index VALUES ('thread', ?, ?, ?)", index_rows(count))
        connection.execute("COMMIT")


def metadata_of(number: int) -> dict[str, Any]:
    return {
        "owner": f"user{number % 10}",
        "number": number,
        "in": {"tenant": "acme"},
        "teams": ["all", f"team{number % 10}", f"own{number}"],
    }


def index_rows(count: int) -> Iterator[tuple[str, str, str]]:
    for number in range(count):
        for path, value in entries(metadata_of(number)):
            yield path, value, thread_id(number)


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    data_dir = tmp_path_factory.mktemp("many")
    migrate(data_dir)
    fill(data_dir / APP_FILE, MANY)
    return data_dir / APP_FILE


FILTERS: dict[str, dict[str, Any]] = {
    "rare $or": {"$or": [{"number": 77}, {"number": 78}]},
    "common $or": {"$or": [{"owner": "user3"}, {"owner": "user4"}]},
    "universal $or": {"$or": [{"owner": "user3"}, {"in": {"$eq": {"tenant": "acme"}}}]},
    "absent $or": {"$or": [{"owner": "nobody"}, {"owner": "no one"}]},
    "rare $and": {"$and": [{"number": 3}, {"owner": "user3"}]},
    "rare of nested": {"$or": [{"$and": [{"owner": "user1"}, {"number": 11}]}, {"number": 78}]},
    "rare among common": {"owner": "user7", "$or": [{"number": 77}, {"number": 78}]},
    "rare $eq": {"number": {"$eq": 77}},
    "rare $contains": {"teams": {"$contains": "own77"}},
    "common $contains": {"teams": {"$contains": ["all", "team3"]}},
    "universal $contains": {"teams": {"$contains": "all"}},
    "common $or of lists": {"$or": [{"teams": {"$contains": "team1"}}, {"owner": "user2"}]},
    "many": {"$or": [{"owner": f"user{number}"} for number in range(3, 55)]},
}

QUERIES = {
    "default": ThreadSearch(),
    "full page": ThreadSearch(limit=100),
    "status": ThreadSearch(status="interrupted"),
    "absent status": ThreadSearch(status="error"),
    "ids": ThreadSearch(ids=tuple(thread_id(number) for number in range(0, 2000, 40))),
    "unique metadata": ThreadSearch(metadata={"number": 77}),
    "common metadata": ThreadSearch(metadata={"owner": "user3"}),
    "universal metadata": ThreadSearch(metadata={"in": {"tenant": "acme"}}),
    "common and unique": ThreadSearch(metadata={"owner": "user7", "in": {"tenant": "acme"}, "number": 77}),
    "absent metadata": ThreadSearch(metadata={"owner": "nobody"}),
    "an owner's": ThreadSearch(visible=parse_filter({"owner": "user3"})),
    "an owner's interrupted": ThreadSearch(status="interrupted", visible=parse_filter({"owner": "user0"})),
    **{f"filter: {name}": ThreadSearch(visible=parse_filter(spec)) for name, spec in FILTERS.items()},
    "filter: common, and metadata": ThreadSearch(
        metadata={"owner": "user4"}, visible=parse_filter(FILTERS["common $or"])
    ),
    "filter: rare, and a status": ThreadSearch(
        status="interrupted", visible=parse_filter({"$or": [{"number": 7000}, {"number": 78}]})
    ),
    **{f"by {column}": ThreadSearch(sort_by=column) for column in ORDERS},
    **{f"by {column} ascending": ThreadSearch(sort_by=column, descending=False) for column in ORDERS},
}


FEW_MATCHES = ("ids", "unique metadata", "common and unique")


@pytest.mark.parametrize("name", QUERIES)
async def test_no_search_reads_the_whole_table(many: Path, name: str) -> None:
    with closing(WatchedDb(many)) as db:
        page = await ThreadTable(db).search(QUERIES[name])

    assert bool(page.items) == ("absent" not in name)
    assert len(db.plans) <= 2
    for plan in db.plans:
        # Walking an index in its order is well: it stops at the end of the page.
        assert not [step for _, step in plan if step.startswith("SCAN t") and "USING" not in step], plan
        # The page is sorted once more, at the top; below, only few matches may be.
        inner = [step for parent, step in plan if parent]
        few = name in FEW_MATCHES or "rare" in name
        assert "USE TEMP B-TREE FOR ORDER BY" not in inner or few, plan
    # A walk of all rows would take several of these steps for each row, and many more with a filter to test. Each
    # value of a filter is first counted, up to a thousand.
    assert db.thousands * 1000 < (4 * MANY if name.startswith("filter") else MANY)


async def test_an_exact_count_is_left_to_the_database(many: Path) -> None:
    with closing(WatchedDb(many)) as db:
        table = ThreadTable(db)
        assert await table.count(ThreadSearch()) == MANY
        assert await table.count(ThreadSearch(metadata={"owner": "user3"})) == MANY / 10
        assert await table.count(ThreadSearch(metadata={"number": 77})) == 1
        assert await table.count(ThreadSearch(metadata={"owner": "nobody"})) == 0
        assert await table.count(ThreadSearch(visible=parse_filter({"owner": "user0"}))) == MANY / 10
        assert len(db.plans) <= 9


@pytest.mark.parametrize("name", FILTERS)
async def test_a_count_under_a_filter_is_answered_by_the_index(many: Path, name: str) -> None:
    visible = parse_filter(FILTERS[name])
    with closing(WatchedDb(many)) as db:
        counted = await ThreadTable(db).count(ThreadSearch(visible=visible))
    assert counted == sum(visible.allows(metadata_of(number)) for number in range(MANY))
    assert len(db.plans) <= 2
    for plan in db.plans:
        # Only the statement that looks at sizes asks for the table, for its last row.
        assert not [step for _, step in plan if step.startswith("SCAN t")], plan
        assert not [step for _, step in plan if " m " in step and "USING" not in step], plan


async def test_pages_join_without_gap_or_overlap(many: Path) -> None:
    with closing(WatchedDb(many)) as db:
        table = ThreadTable(db)
        for query in (ThreadSearch(metadata={"owner": "user3"}), or_filter("user3", "user4")):
            found: list[str] = []
            for offset in range(0, 500, 100):
                page = await table.search(replace(query, limit=100, offset=offset))
                assert page.more
                found += [thread.thread_id for thread in page.items]
            assert found == sorted(set(found), reverse=True)
            assert len(found) == 500


def or_filter(*owners: str) -> ThreadSearch:
    return ThreadSearch(visible=parse_filter({"$or": [{"owner": owner} for owner in owners]}))


async def test_what_sql_cannot_say_is_found_however_far_down_it_is(many: Path) -> None:
    last = metadata_of(3)
    with closing(WatchedDb(many)) as db:
        table = ThreadTable(db)
        rare = ThreadSearch(visible=parse_filter({"$and": [{"number": 3}, {"owner": last["owner"]}]}))
        page = await table.search(rare)
        assert [thread.thread_id for thread in page.items] == [thread_id(3)]
        assert not page.more
        assert await table.count(rare) == 1
        assert await table.count(or_filter("user1", "user2")) == MANY / 5


METADATA: list[dict[str, Any]] = [
    {},
    {"a": 1},
    {"a": 1.0},
    {"a": True},
    {"a": None},
    {"a": "1"},
    {"a": [1]},
    {"a": [1, 2]},
    {"a": {}},
    {"a": {"b": 1}},
    {"a": {"b": 1, "c": {"d": "x"}}},
    {"a.b": 1},
    {"a\\.b": 1},
    {"a\\": {"b": 1}},
    {"": {"a": 1}},
    {"a": "x" * 300},
    {"a": "x" * 299 + "y"},
    {"a": 'quote"\\é%_?'},
    {"a": 2**60},
    {"a": 0.1},
    {"a": [{"y": 1, "x": 2.0}]},
    {"a": 1, "b": 2, "c": 3},
    {str(number): number for number in range(300)},
]


async def test_a_search_finds_what_containment_says(storage: Storage) -> None:
    for number, metadata in enumerate(METADATA):
        await storage.threads.create(NewThread(f"t{number:02}", metadata))
    for part in METADATA:
        wanted = [f"t{n:02}" for n, whole in enumerate(METADATA) if contains(whole, part)]
        query = ThreadSearch(metadata=part, limit=100, sort_by="thread_id", descending=False)
        page = await storage.threads.search(query)
        assert [thread.thread_id for thread in page.items] == wanted, part
        assert await storage.threads.count(query) == len(wanted), part
        if not any(isinstance(value, dict) for value in part.values()):
            owned = await storage.threads.search(replace(query, metadata={}, visible=parse_filter(part)))
            assert [thread.thread_id for thread in owned.items] == wanted, part


ALLOWED: list[dict[str, Any]] = [
    {"$or": [{"a": 1}, {"b": "x"}]},
    {"$or": [{"a": {"$eq": [1]}}, {"$and": [{"b": "x"}, {"c": {"n": 1}}]}]},
    {"$and": [{"a": 1}, {"$or": [{"b": "x"}, {"c": {"$contains": 1}}]}]},
    {"a": {"$contains": 1}},
    {"b": "x", "$or": [{"a": {"$contains": [1]}}, {"c": {"$eq": {"n": 2}}}]},
    {"c": {"$contains": []}},
    {"$or": [{"a": 5}, {"b": {"$contains": True}}]},
    {"$or": [{"a": {}}, {"b": 1}]},
]


async def test_random_pages_equal_those_of_a_plain_filter(storage: Storage) -> None:
    seeded = random.Random(7)
    rows: dict[str, dict[str, Any]] = {}
    for number in range(150):
        metadata = {key: seeded.choice([1, "x", [1], {"n": seeded.choice([1, 2])}]) for key in "abc"}
        rows[f"t{number:03}"] = metadata
        await storage.threads.create(NewThread(f"t{number:03}", metadata))
        if number % 3 == 0:
            state = StateOutcome(orjson.dumps({"n": number % 2}), {}, has_next=number % 2 == 1)
            await storage.threads.set_state(f"t{number:03}", state)
    for _ in range(120):
        part = {
            key: seeded.choice([1, "x", [1], {"n": 1}]) for key in seeded.sample("abc", seeded.randrange(3))
        }
        limit, offset = seeded.randrange(1, 30), seeded.choice([0, 0, 5, 40])
        allowed = seeded.choice([None, *ALLOWED])
        visible = parse_filter(allowed)
        all_of_them = [
            name for name, metadata in rows.items() if contains(metadata, part) and visible.allows(metadata)
        ]
        page = await storage.threads.search(
            ThreadSearch(
                part, limit=limit, offset=offset, sort_by="thread_id", descending=False, visible=visible
            )
        )
        assert [thread.thread_id for thread in page.items] == all_of_them[offset : offset + limit]
        assert page.more == (len(all_of_them) > offset + limit)
        assert await storage.threads.count(ThreadSearch(part, visible=visible)) == len(all_of_them)


def indexed() -> Transition[list[Any]]:
    return (yield "SELECT kind, path, value, id FROM meta_index ORDER BY path", ())


async def test_the_index_follows_the_rows(storage: Storage) -> None:
    db: Db = storage._db  # type: ignore[attr-defined]
    await storage.threads.create(NewThread("t1", {"a": 1, "b": {"c": 2}}))
    await storage.threads.patch("t1", {"a": 2, "b": 3})
    assert await db.read(indexed) == [("thread", "a", "2", "t1"), ("thread", "b", "3", "t1")]
    await storage.threads.delete("t1")
    assert await db.read(indexed) == []


LISTS: dict[str, Any] = {
    "plain": ["x", True, None, 7, 7.0, 0.5, [1], {"a": 1}],
    "dots.and\\strokes": ['quote"\\é%_?\n\x7f', "", "é" * 300],
    "below": {"list": ["no member of the top"]},
    "empty": [],
    "numbers": [2**60, -3, 1e300],
}


# Texts that SQLite reads to their NUL only.
NULS: dict[str, Any] = {
    "nul\0 in a key": ["nul\0 in a member", "no \\u0000 nul", "\x7f"],
    "no \\u0000 nul": [1],
    "below a list": [["nul\0"]],
}


async def test_lists_from_before_are_indexed_alike(storage: Storage) -> None:
    """The step of the migration writes what `write_index` writes."""
    db: Db = storage._db  # type: ignore[attr-defined]

    def again() -> Transition[None]:
        yield (
            "DELETE FROM meta_index WHERE path LIKE ?",
            (r"%.\\*" if db.dialect.name == "postgres" else r"%.\*",),
        )
        for statement in step_002_list_members.statements(db.dialect):
            yield statement, ()

    lists = LISTS if db.dialect.name == "sqlite" else LISTS | NULS
    await storage.threads.create(NewThread("t1", lists))
    written = await db.read(indexed)
    assert sum(path.endswith("\\*") for _, path, _, _ in written) == (8 if lists is LISTS else 12)
    await db.write(again)
    assert sorted(await db.read(indexed)) == sorted(written)
    # Nothing is lost by doing it once more.
    await db.write(again)
    assert sorted(await db.read(indexed)) == sorted(written)
