"""Lets PostgreSQL compare vectors itself, where its extension `vector` (pgvector) is."""

import logging
from array import array

import psycopg
from psycopg import sql

from robyn_server.errors import StartupError
from robyn_server.storage.migrations.postgres import DOCUMENTS_SCHEMA, take_turn
from robyn_server.storage.postgres_connection import Connection, connect, place_of
from robyn_server.storage.store.rows import FLOAT_BYTES
from robyn_server.storage.store.vectors_postgres import vector_text

logger = logging.getLogger(__name__)

AT_ONCE = 500

_SCHEMA = """SELECT quote_ident(nspname) FROM pg_extension JOIN pg_namespace n ON n.oid = extnamespace
    WHERE extname = 'vector'"""
_HAS_COLUMN = """SELECT 1 FROM pg_attribute WHERE attrelid = to_regclass(%s) AND attname = 'meaning'
    AND NOT attisdropped"""
_WITHOUT = """SELECT id, data FROM {table} WHERE meaning IS NULL AND id > %s AND octet_length(data) = dims * {size}
    ORDER BY id LIMIT {most}"""


async def open_vectors(uri: str, needed: bool) -> str | None:
    """Where the extension's type and operators are (a schema, quoted), with every vector of ours in a column of that
    type; None where the extension is missing, which is logged when it is `needed`. Safe to run from several processes
    at once. Raises `StartupError`."""
    try:
        connection = await connect(uri)
    except psycopg.Error as error:
        raise StartupError(f"The database {place_of(uri)} cannot be reached: {error}.") from error
    try:
        schema = await _schema(connection)
        if schema is None:
            if needed:
                logger.warning(
                    "PostgreSQL has no extension `vector`: semantic search reads all vectors into this process. Install"
                    " pgvector there, let its owner say CREATE EXTENSION vector, and start again."
                )
            return None
        await take_turn(connection)
        for tables in ((), (DOCUMENTS_SCHEMA,)):
            await _fill(connection, sql.Identifier(*tables, "item_vector"), schema)
        return schema
    except psycopg.Error as error:
        raise StartupError(f"The vectors of {place_of(uri)} cannot be prepared: {error}.") from error
    finally:
        await connection.close()


async def _schema(connection: Connection) -> str | None:
    found = await (await connection.execute(_SCHEMA)).fetchone()
    if found is None:
        available = await connection.execute("SELECT 1 FROM pg_available_extensions WHERE name = 'vector'")
        if await available.fetchone() is None:
            return None
        try:
            await connection.execute("CREATE EXTENSION IF NOT EXISTS vector")
        except (psycopg.errors.InsufficientPrivilege, psycopg.errors.UniqueViolation) as error:
            # The second: another server was faster.
            logger.info("CREATE EXTENSION vector: %s", error)
        found = await (await connection.execute(_SCHEMA)).fetchone()
    return None if found is None else str(found[0])


async def _fill(connection: Connection, table: sql.Identifier, schema: str) -> None:
    """The column, with what it lacks: rows from before the extension was there."""
    found = await connection.execute(_HAS_COLUMN, (table.as_string(connection),))
    if await found.fetchone() is None:
        # Only then: it locks out whoever works on the table.
        add = sql.SQL("ALTER TABLE {} ADD COLUMN meaning {}.vector")
        await connection.execute(add.format(table, sql.SQL(schema)))
        index = sql.SQL("CREATE INDEX vector_to_fill ON {}(id) WHERE meaning IS NULL")
        await connection.execute(index.format(table))
    update = sql.SQL("UPDATE {} SET meaning = %s::{}.vector WHERE id = %s").format(
        table,
        sql.SQL(schema),
    )
    query = sql.SQL(_WITHOUT).format(table=table, size=sql.Literal(FLOAT_BYTES), most=sql.Literal(AT_ONCE))
    last, filled = 0, 0
    while rows := await (await connection.execute(query, (last,))).fetchall():
        async with connection.cursor() as cursor:
            await cursor.executemany(
                update, [(vector_text(array("f", data)), number) for number, data in rows]
            )
        last, filled = rows[-1][0], filled + len(rows)
    if filled:
        logger.info("%d vectors are compared in the database from now on", filled)
