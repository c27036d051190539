"""Assistants and their versions, on a real database."""

import asyncio
from dataclasses import replace

import pytest

from robyn_server.resources.assistant import AssistantChange, AssistantSearch, NewAssistant
from robyn_server.resources.metadata_filter import parse_filter
from robyn_server.storage.interfaces import AssistantRows, Storage


@pytest.fixture
def table(storage: Storage) -> AssistantRows:
    return storage.assistants


def new(assistant_id: str = "a1", name: str = "Ada", **fields: object) -> NewAssistant:
    return replace(NewAssistant(assistant_id, "agent", name), **fields)  # type: ignore[arg-type]


MINE = parse_filter({"owner": "me"})
THEIRS = parse_filter({"owner": "them"})


async def test_create_gives_version_one_and_equal_times(table: AssistantRows) -> None:
    made = await table.create(new(config={"tags": ["x"]}, context={"k": None}, metadata={"é": 1}))
    assert made is not None
    assert (made.version, made.description, made.config, made.context, made.metadata) == (
        1, None, {"tags": ["x"]}, {"k": None}, {"é": 1},
    )  # fmt: skip
    assert made.created_at == made.updated_at
    assert await table.get("a1") == made
    assert await table.get("a2") is None


async def test_of_two_equal_creates_one_wins(table: AssistantRows) -> None:
    made = await asyncio.gather(*(table.create(new(name=str(number))) for number in range(10)))
    winners = [assistant for assistant in made if assistant]
    assert len(winners) == 1
    assert await table.get("a1") == winners[0]
    assert len(await table.versions("a1", {}, 10, 0)) == 1


async def test_every_update_makes_a_version_and_merges_metadata_one_level(table: AssistantRows) -> None:
    await table.create(new(metadata={"keep": 1, "deep": {"a": 1}}, config={"a": 1}, context={"c": 1}))
    await table.update("a1", AssistantChange())
    changed = await table.update(
        "a1",
        AssistantChange(
            name="Bob", description="d", config={"b": 2}, metadata={"deep": {"b": 2}, "null": None}
        ),
    )
    assert changed is not None
    assert (changed.version, changed.name, changed.description) == (3, "Bob", "d")
    assert changed.metadata == {"keep": 1, "deep": {"b": 2}, "null": None}
    assert (changed.config, changed.context, changed.graph_id) == ({"b": 2}, {"c": 1}, "agent")
    assert changed.updated_at > changed.created_at
    assert [v.version for v in await table.versions("a1", {}, 10, 0)] == [3, 2, 1]
    assert [v.version for v in await table.versions("a1", {}, 1, 1)] == [2]
    assert [v.version for v in await table.versions("a1", {"deep": {"a": 1}}, 10, 0)] == [2, 1]
    assert await table.update("missing", AssistantChange()) is None


async def test_set_latest_restores_all_but_graph_and_context(table: AssistantRows) -> None:
    await table.create(new(description="first", config={"v": 1}, context={"v": 1}, metadata={"v": 1}))
    await table.update(
        "a1",
        AssistantChange("other", "Bob", "second", config={"v": 2}, context={"v": 2}, metadata={"v": 2}),
    )
    restored = await table.set_latest("a1", 1)
    assert restored is not None
    assert (restored.version, restored.name, restored.description) == (1, "Ada", "first")
    assert (restored.config, restored.metadata) == ({"v": 1}, {"v": 1})
    assert (restored.graph_id, restored.context) == ("other", {"v": 2})
    assert (await table.search(AssistantSearch(metadata={"v": 1}))).items == (restored,)
    assert await table.set_latest("a1", 99) is None
    assert await table.set_latest("missing", 1) is None

    changed = await table.update("a1", AssistantChange(metadata={"w": 3}))
    assert changed is not None
    assert (changed.version, changed.metadata, changed.name) == (3, {"v": 1, "w": 3}, "Ada")


async def test_what_is_not_visible_is_not_there(table: AssistantRows) -> None:
    await table.create(new(metadata={"owner": "me"}))
    assert await table.get("a1", THEIRS) is None
    assert await table.update("a1", AssistantChange(name="x"), THEIRS) is None
    assert await table.set_latest("a1", 1, THEIRS) is None
    assert not await table.delete("a1", THEIRS)
    assert (await table.search(AssistantSearch(visible=THEIRS))).items == ()
    assert await table.count(AssistantSearch(visible=THEIRS)) == 0
    assert await table.count(AssistantSearch(visible=MINE)) == 1
    assert await table.get("a1", MINE) is not None
    assert await table.delete("a1", MINE)
    assert not await table.delete("a1", MINE)
    assert await table.versions("a1", {}, 10, 0) == []


async def test_name_is_a_case_insensitive_substring_with_nothing_special(table: AssistantRows) -> None:
    for number, name in enumerate(["100% Ada", "ada_lovelace", "ÄRGER", "back\\slash", "Bob"]):
        await table.create(new(f"a{number}", name))

    async def found(name: str) -> set[str]:
        query = AssistantSearch(name=name)
        names = {assistant.name for assistant in (await table.search(query)).items}
        assert await table.count(query) == len(names)
        return names

    assert await found("ADA") == {"100% Ada", "ada_lovelace"}
    assert await found("%") == {"100% Ada"}
    assert await found("a_l") == {"ada_lovelace"}
    assert await found("_") == {"ada_lovelace"}
    assert await found("\\") == {"back\\slash"}
    assert await found("ärg") == {"ÄRGER"}
    assert await found("") == {"100% Ada", "ada_lovelace", "ÄRGER", "back\\slash", "Bob"}


async def test_orders_and_pages(table: AssistantRows) -> None:
    for number, name in enumerate(["bob", "Ada", "cid", "Dan"]):
        await table.create(replace(new(f"a{number}", name), graph_id=["z", "A", "b", "C"][number]))

    async def names(**query: object) -> list[str]:
        page = await table.search(replace(AssistantSearch(), **query))  # type: ignore[arg-type]
        return [assistant.name for assistant in page.items]

    assert await names() == ["Dan", "cid", "Ada", "bob"]
    assert await names(sort_by="name", descending=False) == ["Ada", "bob", "cid", "Dan"]
    assert await names(sort_by="graph_id") == ["bob", "Dan", "cid", "Ada"]
    assert await names(sort_by="assistant_id") == ["Dan", "cid", "Ada", "bob"]
    assert await names(graph_id="b") == ["cid"]
    first = await table.search(AssistantSearch(limit=3))
    second = await table.search(AssistantSearch(limit=3, offset=3))
    assert (len(first.items), first.more, len(second.items), second.more) == (3, True, 1, False)
    whole = await table.search(AssistantSearch(limit=4))
    assert not whole.more
