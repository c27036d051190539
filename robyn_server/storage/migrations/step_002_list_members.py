"""The second step: `meta_index` holds the members of lists, so that `$contains` is looked up."""

from robyn_server.storage.dialect import Dialect

KINDS = ("thread", "assistant", "cron")

STEP = "replace(replace(k.key, '\\', '\\\\'), '.', '\\.')"
"""The key as `meta_index.py` writes it."""

SQLITE = """INSERT OR IGNORE INTO meta_index(kind, path, value, id)
    SELECT '{kind}', substr({step} || '.\\*', 1, 200), substr(CASE m.type
        WHEN 'text' THEN json_quote(m.value) WHEN 'true' THEN 'true' WHEN 'false' THEN 'false'
        WHEN 'null' THEN 'null' ELSE CAST(CAST(m.value AS INTEGER) AS TEXT) END, 1, 200), t.{kind}_id
    FROM {kind} t, json_each(t.metadata) k, json_each(k.value) m
    WHERE k.type = 'array' AND (m.type IN ('text', 'true', 'false', 'null') OR m.type IN ('integer', 'real')
        AND abs(m.value) < 9007199254740992 AND m.value = CAST(m.value AS INTEGER))"""

# PostgreSQL takes no JSON apart that holds a NUL: a DEL stands in its place then, which we never write in this way.
POSTGRES_STEP = "replace({}, chr(127), '\\0')".format(
    STEP.replace("k.key", "replace(k.key, '\\u007f', '\\u0000')")
)
POSTGRES = """INSERT INTO meta_index(kind, path, value, id)
    SELECT '{kind}', substr({step} || '.\\*', 1, 200), substr(replace(CASE json_typeof(m.value)
        WHEN 'number' THEN trunc(m.value::text::numeric)::text ELSE m.value::text END, '\\u007f', '\\u0000'), 1, 200),
        t.{kind}_id
    FROM {kind} t, json_each(replace(t.metadata::text, '\\u0000', '\\u007f')::json) k, json_array_elements(
        CASE WHEN json_typeof(k.value) = 'array' THEN k.value ELSE '[]' END) m(value)
    WHERE CASE json_typeof(m.value) WHEN 'object' THEN FALSE WHEN 'array' THEN FALSE WHEN 'number'
        THEN abs(m.value::text::numeric) < 9007199254740992 AND m.value::text::numeric = trunc(m.value::text::numeric)
        ELSE TRUE END
    ON CONFLICT DO NOTHING"""


def statements(dialect: Dialect) -> tuple[str, ...]:
    """One for each kind of object that has metadata."""
    insert, step = (SQLITE, STEP) if dialect.name == "sqlite" else (POSTGRES, POSTGRES_STEP)
    return tuple(insert.format(kind=kind, step=step) for kind in KINDS)
