"""Brings a PostgreSQL database up to date: our own tables, the store's, and those of LangGraph's saver."""

import asyncio
from typing import Any, cast

import psycopg
from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver

from robyn_server.errors import StartupError
from robyn_server.storage.checkpoints.upkeep_postgres import UNDO_TABLE
from robyn_server.storage.dialect_postgres import PostgresDialect
from robyn_server.storage.encryption.data_keys_postgres import TABLES as KEY_TABLES
from robyn_server.storage.migrations import STEPS, Step, upgrade
from robyn_server.storage.postgres_connection import Connection, connect, place_of
from robyn_server.storage.postgres_db import WRITE, begin_in, transact
from robyn_server.storage.store.schema import STEPS as STORE_STEPS

OLDEST = 14
LOCK = 7_263_548_101
"""The number of the advisory lock that makes servers migrate one after the other."""
LOOK_AGAIN_SECONDS = 0.2

COUNTED: dict[str, tuple[Step, ...]] = {
    "schema_version": STEPS,
    "checkpoint_schema_version": (lambda _: UNDO_TABLE,),
    "store_schema_version": STORE_STEPS,
    "key_schema_version": (lambda _: KEY_TABLES,),
}
"""Steps by the table that counts them; in separate files each part counts its own, so it does here."""

DOCUMENTS_SCHEMA = "robyn_documents"
"""Where the tables of the second store are, which have the names of the first one's."""


async def migrate(uri: str) -> int:
    """Bring the database up to date; how many steps that took. Safe to run from several processes at once. Raises
    `StartupError`."""
    try:
        connection = await connect(uri)
    except psycopg.Error as error:
        raise StartupError(f"The database {place_of(uri)} cannot be reached: {error}.") from error
    try:
        return await _migrate(connection)
    except psycopg.Error as error:
        raise StartupError(f"The database {place_of(uri)} cannot be brought up to date: {error}.") from error
    finally:
        await connection.close()


async def _migrate(connection: Connection) -> int:
    if connection.info.server_version < OLDEST * 10_000:
        raise StartupError(
            f"PostgreSQL {OLDEST} or later is needed; this one is {connection.info.server_version}."
        )
    await take_turn(connection)
    await AsyncPostgresSaver(cast(Any, connection)).setup()
    applied = 0
    for counter, steps in COUNTED.items():
        applied += await transact(connection, lambda: upgrade(PostgresDialect(), steps, counter), WRITE)  # noqa: B023
    schemas = await connection.execute("SELECT to_regnamespace(%s)", (DOCUMENTS_SCHEMA,))
    if await schemas.fetchone() == (None,):
        await connection.execute(f"CREATE SCHEMA {DOCUMENTS_SCHEMA}".encode())
    within = begin_in(DOCUMENTS_SCHEMA, WRITE)
    applied += await transact(
        connection, lambda: upgrade(PostgresDialect(), STORE_STEPS, "store_schema_version"), within
    )
    if applied:
        # Without statistics the planner takes a table for ten pages of rows.
        await connection.execute("ANALYZE run")
    return applied


async def take_turn(connection: Connection) -> None:
    """Until this connection closes nobody else migrates. Not by a statement that waits: the library builds an index
    concurrently, which waits for every statement under way."""
    while True:
        cursor = await connection.execute("SELECT pg_try_advisory_lock(%s)", (LOCK,))
        ((mine,),) = await cursor.fetchall()
        if mine:
            return
        await asyncio.sleep(LOOK_AGAIN_SECONDS)
