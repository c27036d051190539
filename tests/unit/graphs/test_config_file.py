import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from robyn_server.errors import StartupError
from robyn_server.graphs.config_file import GraphSpec, environment, read_config_file

ONE = {"agent": "./agent.py:graph"}


def test_reads_graphs_in_order_with_descriptions(write):
    config_file = write({"b": {"path": "./b.py:graph", "description": "Says b."}, "a": "pkg.mod:graph"})
    assert list(config_file.graphs) == ["b", "a"]
    assert config_file.graphs["b"].description == "Says b."
    assert config_file.graphs["b"].is_file and not config_file.graphs["a"].is_file
    assert (config_file.graphs["a"].location, config_file.graphs["a"].variable) == ("pkg.mod", "graph")


def test_keeps_the_sections_raw(write):
    config_file = write(ONE, http={"mount_prefix": "/x"}, store=None)
    assert config_file.section("http") == {"mount_prefix": "/x"}
    assert config_file.section("store") == config_file.section("auth") == {}


def test_unknown_keys_are_warnings(write):
    config_file = write(ONE, python_version="3.12", grahps={})
    assert config_file.warnings == (
        'Unknown key "grahps" in langgraph.json is ignored. Did you mean "graphs"?',
    )


def test_a_missing_env_file_is_a_warning(write):
    config_file = write(ONE, env="./my.env")
    (warning,) = config_file.warnings
    assert warning.startswith('"env" in langgraph.json names ./my.env, which does not exist')
    assert environment(config_file) == {}


@pytest.mark.parametrize(
    ("graphs", "says"),
    [
        ({}, "names no graphs"),
        (None, "names no graphs"),
        ({"a": "./agent.py"}, "Graph 'a' in"),
        ({"a": ":graph"}, "Graph 'a' in"),
        ({"a": "./agent.py:not a name"}, "Graph 'a' in"),
        ({"a": {"description": "x"}}, "Graph 'a' in"),
        ({"a": {"path": "./agent.py:graph", "description": 3}}, "description of graph 'a'"),
    ],
)
def test_bad_graphs_are_refused_with_a_sentence(write, graphs, says):
    with pytest.raises(StartupError, match=says):
        write(graphs)


@pytest.mark.parametrize("keys", [{"http": []}, {"dependencies": "."}, {"dependencies": [1]}])
def test_bad_sections_are_refused_with_a_sentence(write, keys):
    with pytest.raises(StartupError, match=re.escape(f'"{next(iter(keys))}" in ')):
        write(ONE, **keys)


def test_a_missing_file_and_bad_json_are_refused(tmp_path: Path):
    with pytest.raises(StartupError, match="does not exist: create it"):
        read_config_file(tmp_path / "langgraph.json")
    (tmp_path / "langgraph.json").write_text("{")
    with pytest.raises(StartupError, match="is not valid JSON"):
        read_config_file(tmp_path / "langgraph.json")


def test_env_is_an_object_or_a_dotenv_file(write, tmp_path: Path):
    assert environment(write(ONE)) == {}
    assert environment(write(ONE, env={"A": "1", "B": 2})) == {"A": "1", "B": "2"}
    (tmp_path / "my.env").write_text("# keys\nexport A='1 2'\nB=$NOT\n")
    assert environment(write(ONE, env="my.env"))["A"] == "1 2"


def test_reading_the_file_imports_no_langgraph(write):
    config_file = write(ONE)
    code = (
        "import sys, pathlib\n"
        "from robyn_server.graphs.config_file import GraphSpec, read_config_file\n"
        f"read_config_file(pathlib.Path({json.dumps(str(config_file.path))}))\n"
        "print([name for name in ('langgraph', 'langchain_core', 'robyn') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_variable_replaces_a_whole_section(tmp_path):
    (tmp_path / "langgraph.json").write_text(
        '{"graphs": {"a": "./a.py:a"}, "http": {"app": "./app.py:app"}, "store": {"path": "./s.py:s"}}'
    )
    variables = {
        "LANGGRAPH_HTTP": '{"mount_prefix": "/api"}',
        "LANGGRAPH_STORE": "null",
        "LANGGRAPH_AUTH": '{"path": "./auth.py:auth"}',
        "LANGGRAPH_WEBHOOKS": "",
    }
    found = read_config_file(tmp_path / "langgraph.json", variables)
    assert found.section("http") == {"mount_prefix": "/api"}
    assert found.section("store") == {}
    assert found.named("store") is None
    assert found.named("auth") == GraphSpec("./auth.py:auth", place="LANGGRAPH_AUTH")
    assert list(found.graphs) == ["a"]


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("LANGSERVE_GRAPHS", "{}", "LANGSERVE_GRAPHS names no graphs"),
        ("LANGSERVE_GRAPHS", '{"a": 1}', "Graph 'a' in LANGSERVE_GRAPHS must be"),
        ("LANGGRAPH_HTTP", "{", "LANGGRAPH_HTTP is not valid JSON"),
        ("LANGGRAPH_STORE", '"x"', "LANGGRAPH_STORE must be a JSON object: correct it."),
        (
            "LANGGRAPH_STORE",
            '{"ttl": {"default_ttl": 0}}',
            '"store.ttl.default_ttl" in LANGGRAPH_STORE must be a number above 0: correct it.',
        ),
        (
            "LANGGRAPH_CHECKPOINTER",
            '{"backend": "redis"}',
            '"checkpointer.backend" in LANGGRAPH_CHECKPOINTER must be "default" or "custom" or "mongo": correct it.',
        ),
        ("LANGGRAPH_ENCRYPTION", '{"path": 1}', '"encryption.path" in LANGGRAPH_ENCRYPTION must be a text'),
    ],
)
def test_errors_name_the_variable(tmp_path, name, value, says):
    (tmp_path / "langgraph.json").write_text('{"graphs": {"a": "./a.py:a"}}')
    with pytest.raises(StartupError) as refused:
        read_config_file(tmp_path / "langgraph.json", {name: value})
    assert says in str(refused.value)


def test_what_ones_own_persistence_takes_the_effect_from(write):
    config_file = write(
        {"a": "./a.py:a"},
        store={"path": "./s.py:s", "index": {"embed": "./e.py:e", "dims": 1}},
        checkpointer={"path": "./s.py:c", "serde": {"pickle_fallback": True}},
    )
    assert config_file.warnings == (
        '"store.index" has no effect beside "store.path": that store embeds by itself.',
        '"checkpointer.serde" has no effect beside "checkpointer.path": that saver has its own serializer.',
    )
