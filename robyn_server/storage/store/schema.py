"""The tables of the store, step by step."""

from robyn_server.storage.dialect import Dialect

TABLES = (
    "CREATE TABLE namespace (ns {unique_serial}, path {text} NOT NULL UNIQUE)",
    """CREATE TABLE item (
        seq {unique_serial}, ns BIGINT NOT NULL REFERENCES namespace, key {text} NOT NULL,
        created_at {time} NOT NULL, updated_at {time} NOT NULL, ttl_minutes {real}, expires_at {time},
        value {json} NOT NULL, UNIQUE (ns, key))""",
    "CREATE INDEX item_order ON item(ns, seq)",
    "CREATE INDEX item_expires ON item(expires_at) WHERE expires_at IS NOT NULL",
    # An id never comes again and its vector never changes: vectors.py remembers them by it.
    """CREATE TABLE {vector_table} (
        id {unique_serial}, seq BIGINT NOT NULL REFERENCES item ON DELETE CASCADE,
        ns BIGINT NOT NULL, dims INTEGER NOT NULL, norm {real} NOT NULL, data {bytes} NOT NULL)""",
    "CREATE INDEX vector_ns ON {vector_table}(dims, ns, seq, id)",
    "CREATE INDEX vector_item ON {vector_table}(seq)",
)

EMBEDDINGS = (
    "CREATE TABLE embedding (id {unique_serial}, name {text} NOT NULL UNIQUE, chosen_at {time} NOT NULL)",
    "ALTER TABLE item ADD COLUMN paths {text}",
    "ALTER TABLE item ADD COLUMN embedding BIGINT NOT NULL DEFAULT 0",
    "ALTER TABLE {vector_table} ADD COLUMN embedding BIGINT NOT NULL DEFAULT 0",
    # What has no vector beside others that have was put with `index: false`, as far as one can tell.
    "UPDATE item SET paths = 'false'"
    " WHERE EXISTS (SELECT 1 FROM {vector_table}) AND seq NOT IN (SELECT seq FROM {vector_table})",
    "CREATE INDEX item_embedding ON item(embedding, seq)",
    "DROP INDEX vector_ns",
    "CREATE INDEX vector_ns ON {vector_table}(embedding, ns, seq, id)",
)
"""`item.paths`: what an item was put with as `index`, as JSON; NULL: the store's own fields. `item.embedding`: what was
embedding when its vectors were made, 0: nothing was. A vector's `embedding` 0: from before this was kept."""

OWNERS = (
    "ALTER TABLE namespace ADD COLUMN owner {text} NOT NULL DEFAULT ''",
    "CREATE INDEX namespace_owner ON namespace(owner, path)",
)


def tables(dialect: Dialect) -> tuple[str, ...]:
    """The first step."""
    return tuple(statement.format(**dialect.types) for statement in TABLES)


def embeddings(dialect: Dialect) -> tuple[str, ...]:
    """The second step: which vectors can be compared."""
    renamed = () if dialect.name == "sqlite" else rename_vectors(dialect)
    return (*renamed, *(statement.format(**dialect.types) for statement in EMBEDDINGS))


def owners(dialect: Dialect) -> tuple[str, ...]:
    """The third step: what was there before is nobody's."""
    return tuple(statement.format(**dialect.types) for statement in OWNERS)


def rename_vectors(dialect: Dialect) -> tuple[str, ...]:
    """The fourth step: a table `vector` stands in the way of PostgreSQL's type of that name."""
    if dialect.name == "sqlite":
        return ("ALTER TABLE vector RENAME TO item_vector",)
    return (
        "DO $$ BEGIN IF to_regclass('item_vector') IS NULL THEN ALTER TABLE vector RENAME TO item_vector; END IF;"
        " END $$",
    )


STEPS = (tables, embeddings, owners, rename_vectors)
