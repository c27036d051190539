"""Values of channels: kept by version, shared while a list grows, gone with the last checkpoint that names them."""

import asyncio
import random
from collections.abc import AsyncIterator
from operator import add
from pathlib import Path
from typing import Annotated, Any, TypedDict

import pytest
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import ChannelVersions, Checkpoint, CheckpointMetadata
from langgraph.checkpoint.base.id import uuid6
from langgraph.graph import END, START, StateGraph
from ormsgpack import MsgpackEncodeError

from robyn_server.storage.checkpoints.serializer import SerdeOptions
from robyn_server.storage.checkpoints.sqlite import SqliteCheckpoints, open_checkpoints
from robyn_server.storage.db import Transition
from robyn_server.storage.encryption.cipher import Cipher

Versions = dict[str, Any]

LONG = "x" * 3000


@pytest.fixture
async def checkpoints(tmp_path: Path, cipher: Cipher) -> AsyncIterator[SqliteCheckpoints]:
    opened = await open_checkpoints(tmp_path, cipher=cipher)
    yield opened
    await opened.close()


async def put(
    checkpoints: SqliteCheckpoints,
    at: RunnableConfig,
    run_id: str,
    versions: dict[str, str],
    values: dict[str, Any],
) -> tuple[RunnableConfig, Versions]:
    """A checkpoint below `at` with new values; where it stands, and all its versions."""
    saver = checkpoints.saver()
    new: ChannelVersions = {
        channel: saver.get_next_version(versions.get(channel), None) for channel in values
    }
    checkpoint: Checkpoint = {
        "v": 4,
        "id": str(uuid6()),
        "ts": "2026-01-01T00:00:00+00:00",
        "channel_values": values,
        "channel_versions": {**versions, **new},
        "versions_seen": {},
        "updated_channels": None,
    }
    metadata: CheckpointMetadata = {"source": "loop", "step": 0, "parents": {}, "run_id": run_id}
    return await saver.aput(at, checkpoint, metadata, new), {**versions, **new}


async def values_at(checkpoints: SqliteCheckpoints, config: RunnableConfig) -> dict[str, Any] | None:
    found = await checkpoints.saver().aget_tuple(config)
    return None if found is None else found.checkpoint["channel_values"]


async def ask(checkpoints: SqliteCheckpoints, sql: str) -> Any:
    def asking() -> Transition[Any]:
        rows = yield sql, ()
        return rows[0][0]

    return await checkpoints._db.read(asking)


def thread(thread_id: str) -> RunnableConfig:
    return {"configurable": {"thread_id": thread_id, "checkpoint_ns": ""}}


async def test_a_list_that_grows_is_stored_once(checkpoints: SqliteCheckpoints, cipher: Cipher) -> None:
    sealing = len(cipher.seal(b""))
    config, versions, log = thread("t"), Versions(), list[str]()
    places = []
    for number in range(100):
        log.append(f"{number} {LONG}")
        config, versions = await put(checkpoints, config, "r", versions, {"log": log})
        places.append(config)
    assert await ask(checkpoints, "SELECT sum(length(data)) FROM checkpoint_chunks") < 100 * (
        len(LONG) + 10 + sealing
    )
    assert await ask(checkpoints, "SELECT count(*) FROM checkpoint_chunks") < 60
    for number, place in enumerate(places, 1):
        assert await values_at(checkpoints, place) == {"log": log[:number]}
    report = await checkpoints.storage("t")
    assert report["channel_values"]["by_channel"]["log"]["versions"] == 100
    assert report["channel_values"]["bytes"] < 100 * (len(LONG) + 20 + 2 * sealing)


async def test_branches_and_copies_do_not_disturb_one_another(checkpoints: SqliteCheckpoints) -> None:
    start, versions = await put(checkpoints, thread("t"), "r1", {}, {"log": ["a", LONG]})
    left, _ = await put(checkpoints, start, "r2", versions, {"log": ["a", LONG, "left"]})
    right, _ = await put(checkpoints, start, "r3", versions, {"log": ["a", LONG, "right"]})
    await checkpoints.copy_thread("t", "copy")
    await put(checkpoints, start, "r4", versions, {"log": ["a", LONG, "right", "more"]})
    await put(checkpoints, thread("copy"), "r5", versions, {"log": ["a", LONG, "left", "other"]})

    assert await values_at(checkpoints, left) == {"log": ["a", LONG, "left"]}
    assert await values_at(checkpoints, right) == {"log": ["a", LONG, "right"]}
    await checkpoints.delete_thread("t")
    assert await values_at(checkpoints, thread("copy")) == {"log": ["a", LONG, "left", "other"]}
    await checkpoints.delete_run("copy", "r5")
    assert await values_at(checkpoints, thread("copy")) == {"log": ["a", LONG, "right"]}
    await checkpoints.delete_thread("copy")
    for table in ("checkpoint_chunks", "checkpoint_blobs"):
        assert await ask(checkpoints, f"SELECT count(*) FROM {table}") == 0


def changed(chance: random.Random, log: list[str]) -> list[str]:
    """The list a step later: longer most of the time; else changed somewhere, shorter, or as it was."""
    word = str(chance.random()) * chance.choice([1, 5, 60])
    match chance.randrange(10):
        case 0:
            return [word, *log[1:]]
        case 1:
            return [*log[:-1], word]
        case 2:
            return log[: len(log) // 2]
        case 3:
            return log
        case _:
            return [*log, word]


@pytest.mark.parametrize("seed", range(4))
async def test_whatever_happens_every_checkpoint_left_is_whole(
    checkpoints: SqliteCheckpoints, seed: int
) -> None:
    chance = random.Random(seed)
    # By (thread id, checkpoint id): its run, versions, values.
    kept: dict[tuple[str, str], tuple[str, Versions, dict[str, Any]]] = {}
    for step in range(200):
        thread_id, run_id = chance.choice("ab"), f"r{step // 4}"
        mine = [place for place in kept if place[0] == thread_id]
        match chance.randrange(30):
            case 0 if mine:
                gone = kept[chance.choice(mine)][0]
                await checkpoints.delete_run(thread_id, gone)
                kept = {p: k for p, k in kept.items() if p[0] != thread_id or k[0] != gone}
            case 1:
                await checkpoints.keep_latest(thread_id, 3)
                old = sorted(mine, reverse=True)[3:]
                kept = {place: known for place, known in kept.items() if place not in old}
            case 2:
                new = f"copy {step}"
                await checkpoints.copy_thread(thread_id, new)
                kept |= {(new, checkpoint_id): kept[thread_id, checkpoint_id] for _, checkpoint_id in mine}
            case 3:
                await checkpoints.delete_thread(thread_id)
                kept = {place: known for place, known in kept.items() if place[0] != thread_id}
            case _:
                above = chance.choice([*mine[-2:], *mine[-1:] * 8]) if mine else None
                _, versions, values = kept[above] if above else ("", {}, {"log": []})
                config = thread(thread_id)
                if above:
                    config["configurable"]["checkpoint_id"] = above[1]
                new_values: dict[str, Any] = {"log": changed(chance, values["log"])}
                if chance.random() < 0.5:
                    new_values["count"] = step
                config, versions = await put(checkpoints, config, run_id, versions, new_values)
                place = (thread_id, config["configurable"]["checkpoint_id"])
                kept[place] = (run_id, versions, {**values, **new_values})
    assert kept
    for (thread_id, checkpoint_id), (_, _, values) in kept.items():
        config = thread(thread_id)
        config["configurable"]["checkpoint_id"] = checkpoint_id
        assert await values_at(checkpoints, config) == values
    assert await ask(checkpoints, "SELECT count(*) FROM checkpoints") == len(kept)
    for thread_id in {thread_id for thread_id, _ in kept}:
        await checkpoints.delete_thread(thread_id)
    assert await ask(checkpoints, "SELECT count(*) FROM checkpoint_chunks") == 0


class Talk(TypedDict, total=False):
    log: Annotated[list[str], add]


class Counted(Talk, total=False):
    count: int
    answer: str


async def turn(
    checkpoints: SqliteCheckpoints,
    schema: type[Any],
    said: dict[str, Any],
    run_id: str = "r",
    **configurable: Any,
) -> dict[str, Any]:
    """One run of a graph of one node; the state after it."""
    builder = StateGraph(schema)
    builder.add_node("say", lambda _: said)
    builder.add_edge(START, "say")
    builder.add_edge("say", END)
    graph = builder.compile(checkpointer=checkpoints.saver())
    place = {"thread_id": "t", "run_id": run_id, **configurable}
    return await graph.ainvoke({"log": [run_id]}, {"configurable": place, "metadata": {"run_id": run_id}})


async def test_another_graph_on_the_thread_keeps_values_it_does_not_know(
    checkpoints: SqliteCheckpoints,
) -> None:
    await turn(checkpoints, Counted, {"count": 1, "answer": "yes"}, "r1")
    assert await turn(checkpoints, Talk, {"log": ["said"]}, "r2") == {"log": ["r1", "r2", "said"]}
    expected = {"count": 1, "answer": "yes", "log": ["r1", "r2", "said", "r3", "again"]}
    assert await turn(checkpoints, Counted, {"log": ["again"]}, "r3") == expected
    await checkpoints.keep_latest("t")
    assert (await turn(checkpoints, Counted, {}, "r4"))["count"] == 1


async def test_a_value_that_msgpack_refuses_is_pickled(checkpoints: SqliteCheckpoints) -> None:
    assert await turn(checkpoints, Talk, {"log": [object]}) == {"log": ["r", object]}
    found = await values_at(checkpoints, thread("t"))
    assert found is not None
    assert found["log"] == ["r", object]


async def test_pickle_can_be_turned_off(tmp_path: Path) -> None:
    checkpoints = await open_checkpoints(tmp_path, serde=SerdeOptions(pickle_fallback=False))
    with pytest.raises(MsgpackEncodeError):
        await turn(checkpoints, Talk, {"log": [object]})
    await checkpoints.close()


async def test_metadata_names_the_thread_it_is_on(checkpoints: SqliteCheckpoints) -> None:
    builder = StateGraph(Talk)
    builder.add_node("say", lambda _: {})
    builder.add_edge(START, "say")
    await builder.compile(checkpointer=checkpoints.saver()).aupdate_state(thread("t"), {"log": ["x"]})
    await checkpoints.copy_thread("t", "copy")
    for thread_id in ("t", "copy"):
        found = await checkpoints.saver().aget_tuple(thread(thread_id))
        assert found is not None
        assert found.metadata.get("thread_id") == thread_id


async def test_metadata_may_hold_what_json_does_not_know(checkpoints: SqliteCheckpoints) -> None:
    odd: Any = {"number": 10**30, "broken": "a\ud800b", "path": Path("x"), "nothing": float("nan")}
    saver = checkpoints.saver()
    checkpoint: Any = {"id": "1", "channel_values": {}, "channel_versions": {}}
    config = await saver.aput(thread("t"), checkpoint, odd, {})
    found = await saver.aget_tuple(config)
    assert found is not None
    told: Any = found.metadata
    assert (told["number"], told["broken"], told["path"]) == (10**30, "ab", "x")
    assert str(told["nothing"]) == "nan"


async def test_sync_calls_work_from_any_thread(checkpoints: SqliteCheckpoints) -> None:
    await turn(checkpoints, Talk, {"log": ["said"]})
    saver = checkpoints.saver()
    here = saver.get_tuple(thread("t"))
    assert (
        here == await asyncio.to_thread(saver.get_tuple, thread("t")) == await saver.aget_tuple(thread("t"))
    )
    listed = [found async for found in saver.alist(thread("t"))]
    assert (
        listed
        == list(saver.list(thread("t")))
        == await asyncio.to_thread(lambda: list(saver.list(thread("t"))))
    )
    assert listed[0] == here


async def test_history_is_read_page_by_page(checkpoints: SqliteCheckpoints) -> None:
    config, versions = thread("t"), Versions()
    ids: list[str] = []
    for number in range(50):
        config, versions = await put(checkpoints, config, f"r{number % 2}", versions, {"count": number})
        ids.insert(0, config["configurable"]["checkpoint_id"])
    saver = checkpoints.saver()

    async def listed(**options: Any) -> list[str]:
        return [found.checkpoint["id"] async for found in saver.alist(thread("t"), **options)]

    assert await listed() == ids
    assert await listed(limit=0) == []
    assert await listed(limit=1) == ids[:1]
    assert await listed(limit=20) == ids[:20]
    assert await listed(limit=41) == ids[:41]
    before: RunnableConfig = {"configurable": {"checkpoint_id": ids[10]}}
    assert await listed(before=before, limit=30) == ids[11:41]
    assert await listed(filter={"run_id": "r1"}, limit=22) == ids[0:44:2]


async def test_puts_of_a_thread_are_kept_in_order(checkpoints: SqliteCheckpoints) -> None:
    saver = checkpoints.saver()
    config, _ = await put(checkpoints, thread("t"), "r", {}, {})
    await asyncio.gather(
        *(saver.aput_writes(config, [("__error__", number)], "task") for number in range(50))
    )
    found = await saver.aget_tuple(config)
    assert found is not None
    assert found.pending_writes == [("task", "__error__", 49)]
