"""Where settings come from, in which order, and what is refused."""

import json
from datetime import timedelta
from pathlib import Path

import pytest

from robyn_server.environment import provide, read_sources
from robyn_server.errors import StartupError
from robyn_server.settings import VARIABLES, Settings, read_settings


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Away from this project's own langgraph.json."""
    monkeypatch.chdir(tmp_path)


def project(folder: Path, section: dict[str, object], dotenv: str = "") -> dict[str, str]:
    """Overrides that name a langgraph.json with this content."""
    (folder / "langgraph.json").write_text(json.dumps(section))
    (folder / ".env").write_text(dotenv)
    return {"config_path": str(folder / "langgraph.json")}


def test_defaults_suit_one_machine(tmp_path: Path) -> None:
    given = project(tmp_path, {})
    assert read_settings(given, {}) == Settings(config_path=tmp_path / "langgraph.json")


def test_the_order_of_sources(tmp_path: Path) -> None:
    given = project(
        tmp_path,
        {"env": {"ROBYN_PORT": "2", "N_JOBS_PER_WORKER": "2", "BG_JOB_MAX_RETRIES": 2}},
        "ROBYN_PORT=3\nN_JOBS_PER_WORKER=3\nBG_JOB_MAX_RETRIES=3\nMAX_STREAMS=3\n",
    )
    settings = read_settings({**given, "port": "1"}, {"ROBYN_PORT": "4", "N_JOBS_PER_WORKER": "4"})
    assert (settings.port, settings.slots, settings.run_retries, settings.max_streams) == (1, 4, 2, 3)


def test_env_may_name_a_file(tmp_path: Path) -> None:
    (tmp_path / "my.env").write_text("export ROBYN_PORT='9000' # chosen\n")
    assert read_settings(project(tmp_path, {"env": "./my.env"}), {}).port == 9000


def test_a_missing_env_file_counts_as_empty(tmp_path: Path) -> None:
    assert read_settings(project(tmp_path, {"env": "./my.env"}), {}).port == 8081


def test_the_mount_prefix_of_langgraph_json(tmp_path: Path) -> None:
    given = project(tmp_path, {"http": {"mount_prefix": "/api"}})
    assert read_settings(given, {}).mount_prefix == "/api"
    assert read_settings(given, {"MOUNT_PREFIX": "/v2"}).mount_prefix == "/v2"


def test_an_empty_variable_is_not_set() -> None:
    assert read_settings({}, {"ROBYN_PORT": "", "PORT": "9001"}).port == 9001


@pytest.mark.parametrize(
    ("environ", "sentence"),
    [
        ({"PORT": "http"}, "PORT=http cannot be used: it must be a whole number from 1 to 65535."),
        (
            {"N_JOBS_PER_WORKER": "0"},
            "N_JOBS_PER_WORKER=0 cannot be used: it must be a whole number of at least 1.",
        ),
        (
            {"BG_JOB_TIMEOUT_SECS": "1h"},
            "BG_JOB_TIMEOUT_SECS=1h cannot be used: it must be a number of seconds.",
        ),
        ({"FF_CRONS_ENABLED": "si"}, "FF_CRONS_ENABLED=si cannot be used: it must be 1 or 0."),
        (
            {"ROBYN_HOST": "example.org"},
            "ROBYN_HOST=example.org cannot be used: it must be an IP address such as",
        ),
        ({"LOG_FORMAT": "xml"}, "LOG_FORMAT=xml cannot be used: it must be one of console, json."),
        ({"LANE_SLOTS": "code"}, "LANE_SLOTS=code cannot be used: it must be lane=slots pairs"),
        ({"AUTH_MODE": "supabase"}, "AUTH_MODE=supabase needs SUPABASE_URL"),
        ({"AUTH_MODE": "custom"}, 'AUTH_MODE=custom needs "auth"'),
        ({"ROBYN_HOST": "0.0.0.0"}, "Listening on 0.0.0.0 without authentication"),
        ({"DATABASE_URI": "mysql://x"}, "DATABASE_URI cannot be used: it must be an address such as"),
        ({"RUN_HEARTBEAT_SECONDS": "20"}, "RUN_HEARTBEAT_SECONDS must be at most half of RUN_LEASE_SECONDS"),
    ],
)
def test_what_cannot_work_is_one_sentence(environ: dict[str, str], sentence: str, tmp_path: Path) -> None:
    with pytest.raises(StartupError) as refusal:
        read_settings(project(tmp_path, {}), environ)
    assert str(refusal.value).startswith(sentence)
    assert "\n" not in str(refusal.value)


def test_values_are_read_as_what_they_are() -> None:
    settings = read_settings(
        {},
        {
            "LANE_SLOTS": "code=4, maintenance=1",
            "SHUTDOWN_GRACE_SECONDS": "0.5",
            "CORS_ORIGINS": "https://a.example, https://b.example",
            "MOUNT_PREFIX": "agents/",
            "LOG_LEVEL": "debug",
        },
    )
    assert settings.lane_slots == (("code", 4), ("maintenance", 1))
    assert settings.shutdown_grace == timedelta(milliseconds=500)
    assert settings.cors_origins == ("https://a.example", "https://b.example")
    assert (settings.mount_prefix, settings.log_level) == ("/agents", "DEBUG")


def test_a_flag_is_named_as_typed() -> None:
    with pytest.raises(StartupError, match="^--port=x cannot be used"):
        read_settings({"port": "x"}, {})
    database = {"DATABASE_URI": "postgresql://h/agents"}
    for field, value in (("no_worker", "1"), ("worker_processes", "2")):
        with pytest.raises(StartupError, match=f"^--{field.replace('_', '-')} with DATABASE_URI"):
            read_settings({field: value}, database)


@pytest.mark.parametrize(
    ("environ", "section", "mode"),
    [
        ({}, {}, "none"),
        ({}, {"auth": {"path": "./auth.py:auth"}}, "custom"),
        ({"SUPABASE_JWT_SECRET": "s"}, {}, "supabase"),
        ({"SUPABASE_URL": "http://x"}, {"auth": {"path": "./auth.py:auth"}}, "custom"),
        ({"SUPABASE_URL": "http://x", "AUTH_MODE": "none"}, {"auth": {"path": "./auth.py:auth"}}, "none"),
    ],
)
def test_the_auth_mode(
    environ: dict[str, str], section: dict[str, object], mode: str, tmp_path: Path
) -> None:
    assert read_settings(project(tmp_path, section), environ).auth_mode == mode


@pytest.mark.parametrize("environ", [{"SUPABASE_JWT_SECRET": "s"}, {"ALLOW_UNAUTHENTICATED": "1"}])
def test_other_addresses_with_authentication_or_permission(environ: dict[str, str], tmp_path: Path) -> None:
    settings = read_settings({**project(tmp_path, {}), "host": "0.0.0.0"}, environ)
    assert settings.host == "0.0.0.0"


@pytest.mark.parametrize(
    ("typed", "host"), [("localhost", "127.0.0.1"), ("[::1]", "::1"), ("127.8.8.8", "127.8.8.8")]
)
def test_loopback_needs_no_authentication(typed: str, host: str, tmp_path: Path) -> None:
    assert read_settings({**project(tmp_path, {}), "host": typed}, {}).host == host


def test_where_the_database_is(tmp_path: Path) -> None:
    uri = "postgresql+asyncpg://ada:pw@db/agents"
    for name in ("DATABASE_URI", "POSTGRES_URI", "DATABASE_URL"):
        settings = read_settings({}, {name: uri})
        assert settings.database_uri == uri and "pw" not in repr(settings)
    assert read_settings({}, {"DATABASE_URL": "mysql://other"}).database_uri is None
    given = project(tmp_path, {}, f"POSTGRES_URI={uri}\n")
    assert read_settings(given, {"DATABASE_URL": "postgresql://other"}).database_uri == uri


def test_a_projects_own_database_url_is_left_to_it(tmp_path: Path) -> None:
    given = project(tmp_path, {}, "DATABASE_URL=postgresql://mine\n")
    settings = read_settings(given, {})
    assert settings.database_uri is None
    shown = {"HOME": "/home/me"}
    provide(read_sources(settings.config_path, shown).project, shown)
    assert shown == {"HOME": "/home/me", "DATABASE_URL": "postgresql://mine"}


def test_the_real_environment_is_not_overwritten() -> None:
    shown = {"OPENAI_API_KEY": "real"}
    provide({"OPENAI_API_KEY": "from .env", "MODEL_NAME": "m"}, shown)
    assert shown == {"OPENAI_API_KEY": "real", "MODEL_NAME": "m"}


@pytest.mark.parametrize(
    ("content", "sentence"), [("{", "is not valid JSON"), ("[]", "must hold a JSON object")]
)
def test_a_broken_langgraph_json(content: str, sentence: str, tmp_path: Path) -> None:
    file = tmp_path / "langgraph.json"
    file.write_text(content)
    with pytest.raises(StartupError, match=sentence):
        read_settings({"config_path": str(file)}, {})


def test_no_secret_stands_in_the_repr() -> None:
    settings = read_settings(
        {}, {"SUPABASE_JWT_SECRET": "hush", "SECRET_KEY": "hush", "SERVICE_KEYS": "hush"}
    )
    assert "hush" not in repr(settings)


def test_every_field_can_be_set() -> None:
    assert [variable.field for variable in VARIABLES] == list(Settings.__dataclass_fields__)


def test_retention(tmp_path: Path) -> None:
    given = project(tmp_path, {})
    environ = {
        "LANGGRAPH_THREAD_TTL": '{"default_ttl": 5}',
        "RUN_RETENTION_DAYS": "0.5",
        "CHECKPOINTS_PER_THREAD": "3",
    }
    settings = read_settings(given, environ)
    assert settings.thread_ttl == {"default_ttl": 5}
    assert settings.run_retention == timedelta(hours=12)
    assert settings.checkpoints_per_thread == 3
    for name, value in (
        ("LANGGRAPH_THREAD_TTL", "5"),
        ("RUN_RETENTION_DAYS", "0"),
        ("CHECKPOINTS_PER_THREAD", "0"),
    ):
        with pytest.raises(StartupError, match=f"{name}={value} cannot be used"):
            read_settings(given, {name: value})
