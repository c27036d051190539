"""Long-term memory on its file."""

import asyncio
from pathlib import Path

from robyn_server.storage.langgraph import open_store


async def test_items_outlive_the_store_that_wrote_them(tmp_path: Path) -> None:
    store = await open_store(tmp_path)
    await store.aput(("users", "ada"), "likes", {"tea": True})
    await store.close()

    store = await open_store(tmp_path)
    found = await store.aget(("users", "ada"), "likes")
    assert found is not None and found.value == {"tea": True}
    assert await store.alist_namespaces(prefix=("users",)) == [("users", "ada")]
    assert [item.key for item in await store.asearch(("users",), filter={"tea": True})] == ["likes"]
    await store.adelete(("users", "ada"), "likes")
    assert await store.aget(("users", "ada"), "likes") is None
    await store.close()


async def test_closing_waits_for_what_was_put(tmp_path: Path) -> None:
    store = await open_store(tmp_path)
    puts = [asyncio.create_task(store.aput(("many",), str(n), {"n": n})) for n in range(200)]
    await asyncio.sleep(0)
    await store.close()
    await asyncio.gather(*puts)

    store = await open_store(tmp_path)
    assert len(await store.asearch(("many",), limit=500)) == 200
    await store.close()


async def test_a_default_ttl_is_kept(tmp_path: Path) -> None:
    store = await open_store(tmp_path, ttl={"default_ttl": 10, "refresh_on_read": True})
    await store.aput(("n",), "k", {"v": 1})
    rows = list(await store.conn.execute_fetchall("SELECT expires_at, ttl_minutes FROM store"))
    assert rows[0][0] is not None and rows[0][1] == 10
    await store.close()


async def test_the_file_is_in_wal_mode(tmp_path: Path) -> None:
    store = await open_store(tmp_path)
    assert list(await store.conn.execute_fetchall("PRAGMA journal_mode")) == [("wal",)]
    assert list(await store.conn.execute_fetchall("PRAGMA synchronous")) == [(1,)]
    await store.close()
