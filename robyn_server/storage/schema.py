"""The tables, once, with the dialect's types filled in. Ids are canonical UUID text, times and JSON as the
dialect says. `migrations/` applies this as its first step; later changes are steps of their own, not edits
here."""

from robyn_server.storage.dialect import Dialect
from robyn_server.storage.thread_status import PENDING, RUNNING

TABLES = (
    """CREATE TABLE assistant (
        assistant_id {text} PRIMARY KEY, graph_id {text} NOT NULL, name {text} NOT NULL, description {text},
        config {json} NOT NULL, context {json} NOT NULL, metadata {json} NOT NULL, version INTEGER NOT NULL,
        created_at {time} NOT NULL, updated_at {time} NOT NULL)""",
    """CREATE TABLE assistant_version (
        assistant_id {text} NOT NULL REFERENCES assistant ON DELETE CASCADE, version INTEGER NOT NULL,
        graph_id {text} NOT NULL, name {text} NOT NULL, description {text},
        config {json} NOT NULL, context {json} NOT NULL, metadata {json} NOT NULL, created_at {time} NOT NULL,
        PRIMARY KEY (assistant_id, version))""",
    # last_failed and has_next are what the status is recomputed from (thread_status.py). What may be large
    # stands last: SQLite reads through it to reach a column behind it.
    """CREATE TABLE thread (
        thread_id {text} PRIMARY KEY, status {text} NOT NULL,
        last_failed {flag} NOT NULL, has_next {flag} NOT NULL,
        settled {flag} NOT NULL, copied {flag} NOT NULL,
        created_at {time} NOT NULL, updated_at {time} NOT NULL, state_updated_at {time},
        ttl_seconds {real}, ttl_strategy {text}, expires_at {time},
        metadata {json} NOT NULL, config {json} NOT NULL, error {json}, interrupts {json} NOT NULL,
        "values" {json})""",
    # attempt is the fencing token; cancel_action and cancel_reason are the durable wish to stop the run.
    """CREATE TABLE run (
        seq {serial}, run_id {text} NOT NULL UNIQUE,
        thread_id {text} NOT NULL REFERENCES thread ON DELETE CASCADE,
        assistant_id {text} NOT NULL, graph_id {text} NOT NULL, cron_id {text}, scheduled_for {time},
        status {text} NOT NULL, multitask_strategy {text} NOT NULL,
        resumable {flag} NOT NULL, temporary {flag} NOT NULL,
        lane {text} NOT NULL DEFAULT 'default', priority SMALLINT NOT NULL DEFAULT 0,
        created_at {time} NOT NULL, updated_at {time} NOT NULL, run_at {time} NOT NULL,
        attempt INTEGER NOT NULL DEFAULT 0, failures INTEGER NOT NULL DEFAULT 0,
        worker_id {text}, lease_until {time}, cancel_action {text}, cancel_reason {text},
        started_at {time}, finished_at {time}, ev_from {text} NOT NULL, webhook {text},
        secrets {bytes}, caller {json} NOT NULL, error {json},
        metadata {json} NOT NULL, kwargs {json} NOT NULL) {busy_table}""",
    """CREATE TABLE cron (
        cron_id {text} PRIMARY KEY, assistant_id {text} NOT NULL REFERENCES assistant ON DELETE CASCADE,
        thread_id {text} REFERENCES thread ON DELETE CASCADE, user_id {text} NOT NULL,
        schedule {text} NOT NULL, timezone {text}, end_time {text}, ends_at {time},
        payload {json} NOT NULL, metadata {json} NOT NULL, on_run_completed {text}, enabled {flag} NOT NULL,
        next_run_at {time}, created_at {time} NOT NULL, updated_at {time} NOT NULL,
        caller {json} NOT NULL, secrets {bytes})""",
)

INDEXES = (
    # One for each order that a search offers; the id last, as in search.py.
    "CREATE INDEX assistant_created ON assistant(created_at, assistant_id)",
    "CREATE INDEX assistant_updated ON assistant(updated_at, assistant_id)",
    "CREATE INDEX assistant_name ON assistant(lower(name), created_at, assistant_id)",
    "CREATE INDEX assistant_graph ON assistant(graph_id, created_at, assistant_id)",
    "CREATE INDEX assistant_graph_name ON assistant(lower(graph_id), created_at, assistant_id)",
    "CREATE INDEX thread_created ON thread(created_at, thread_id)",
    "CREATE INDEX thread_updated ON thread(updated_at, thread_id)",
    "CREATE INDEX thread_state_updated ON thread(state_updated_at {null_first}, thread_id)",
    # One status by `updated_at`; then all by status in either direction, where equals always stand by `created_at`.
    "CREATE INDEX thread_status ON thread(status, updated_at, thread_id)",
    "CREATE INDEX thread_status_up ON thread(status, created_at, thread_id)",
    "CREATE INDEX thread_status_down ON thread(status DESC, created_at, thread_id)",
    "CREATE INDEX thread_expires ON thread(expires_at) WHERE expires_at IS NOT NULL",
    f"CREATE INDEX run_due ON run(lane, priority DESC, run_at, seq) WHERE status = '{PENDING}'",
    # The status stands in these so that SQLite takes them before run_thread, which holds ended runs too.
    f"CREATE INDEX run_due_thread ON run(thread_id, status, seq, run_at) WHERE status = '{PENDING}'",
    f"CREATE INDEX run_due_at ON run(run_at, thread_id) WHERE status = '{PENDING}'",
    "CREATE INDEX run_unwanted ON run(status, thread_id)"
    f" WHERE status = '{PENDING}' AND cancel_action IS NOT NULL",
    # At most one running run per thread: the invariant, kept by the database.
    f"CREATE UNIQUE INDEX run_active ON run(thread_id) WHERE status = '{RUNNING}'",
    f"CREATE INDEX run_lease ON run(lease_until) WHERE status = '{RUNNING}'",
    f"CREATE INDEX run_worker ON run(worker_id) WHERE status = '{RUNNING}'",
    "CREATE INDEX run_thread ON run(thread_id, seq)",
    "CREATE INDEX run_finished ON run(finished_at) WHERE finished_at IS NOT NULL",
    "CREATE UNIQUE INDEX run_cron ON run(cron_id, scheduled_for) WHERE cron_id IS NOT NULL",
    "CREATE INDEX cron_due ON cron(next_run_at) WHERE enabled",
    "CREATE INDEX cron_assistant ON cron(assistant_id, created_at, cron_id)",
    "CREATE INDEX cron_thread ON cron(thread_id {null_first}, created_at, cron_id)",
    "CREATE INDEX cron_created ON cron(created_at, cron_id)",
    "CREATE INDEX cron_updated ON cron(updated_at, cron_id)",
    "CREATE INDEX cron_next ON cron(next_run_at {null_first}, created_at, cron_id)",
    "CREATE INDEX cron_end ON cron(end_time {null_first}, created_at, cron_id)",
)

META_INDEX = (
    """CREATE TABLE meta_index (
        kind {text} NOT NULL, path {text} NOT NULL, value {text} NOT NULL, id {text} NOT NULL,
        PRIMARY KEY (kind, path, value, id)) {keyed_table}""",
    "CREATE INDEX meta_index_id ON meta_index(kind, id)",
)


def statements(dialect: Dialect) -> tuple[str, ...]:
    """Everything that an empty database needs, in order."""
    written = tuple(statement.format(**dialect.types) for statement in (*TABLES, *INDEXES, *META_INDEX))
    triggers = (dialect.drop_with(kind) for kind in ("thread", "assistant", "cron"))
    return (*written, *(statement for some in triggers for statement in some))
