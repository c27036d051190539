import logging
import sys
from pathlib import Path

import pytest

from robyn_server.errors import StartupError
from robyn_server.graphs.dependencies import extend_path
from robyn_server.graphs.loader import load
from robyn_server.graphs.registry import GraphRegistry

GRAPHS = Path(__file__).parents[2] / "graphs"


def loaded(config_file):
    extend_path(config_file)
    return {
        graph_id: load(config_file, f"Graph '{graph_id}'", spec)
        for graph_id, spec in config_file.graphs.items()
    }


def test_two_graphs_of_one_file_share_the_module(write):
    found = loaded(write({"a": f"{GRAPHS}/plain.py:echo", "b": f"{GRAPHS}/plain.py:_chat"}))
    assert found["a"].builder is found["b"]


def test_a_file_without_package_gets_a_stable_name_of_its_own(write, tmp_path):
    (tmp_path / "json.py").write_text("class Thing: ...\n")
    thing = loaded(write({"a": "./json.py:Thing"}))["a"]
    assert thing.__module__.startswith("langgraph_file_json_")
    assert sys.modules[thing.__module__].Thing is thing
    assert loaded(write({"a": "json.py:Thing"}))["a"] is thing


def test_neighbours_of_a_file_can_be_imported(write, tmp_path):
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "neighbour_of_agent.py").write_text("word = 'hello'\n")
    (tmp_path / "inner" / "agent.py").write_text("from neighbour_of_agent import word\n")
    assert loaded(write({"a": "./inner/agent.py:word"}))["a"] == "hello"


async def test_a_file_in_a_package_is_imported_by_its_dotted_name(serving):
    registry = serving("packaged/graph.py:graph")
    async with registry.open("graph", {}, checkpointer=None, store=None) as graph:
        assert await graph.ainvoke({}) == {"text": "packaged.graph"}


async def test_a_module_is_found_through_the_dependencies(write):
    registry = GraphRegistry(write({"agent": "packaged.graph:graph"}, dependencies=[str(GRAPHS)]))
    async with registry.open("agent", {}, checkpointer=None, store=None) as graph:
        assert await graph.ainvoke({}) == {"text": "packaged.graph"}


@pytest.mark.parametrize(
    ("target", "says"),
    [
        (f"{GRAPHS}/broken.py:graph", "RuntimeError: no luck today. Correct that file"),
        (f"{GRAPHS}/unmet.py:graph", "Install 'a_library_that_nobody_has'"),
        (f"{GRAPHS}/plain.py:nope", "has nothing named 'nope'"),
        (f"{GRAPHS}/absent.py:graph", "does not exist; correct its path"),
        ("./agent.ts:graph", "is no Python file"),
        ("no_such_module.at_all:graph", "Install 'no_such_module'"),
        (f"{GRAPHS}/plain.py:number", "is int, neither a graph nor a function"),
        (f"{GRAPHS}/factories.py:wants_too_much", "takes 'database', but a factory can take only"),
    ],
)
def test_what_cannot_be_loaded_is_one_sentence_with_the_graph_id(write, target, says):
    with pytest.raises(StartupError, match=says) as caught:
        GraphRegistry(write({"the_id": target}))
    assert "Graph 'the_id'" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_traceback_is_logged_at_debug_level_only(write, caplog):
    caplog.set_level(logging.DEBUG, "robyn_server.graphs.loader")
    with pytest.raises(StartupError):
        GraphRegistry(write({"a": f"{GRAPHS}/broken.py:graph"}))
    assert [record.levelname for record in caplog.records if record.exc_info] == ["DEBUG"]


def test_a_file_that_exits_is_an_import_error(write, tmp_path):
    (tmp_path / "leaves.py").write_text("raise SystemExit(3)\n")
    with pytest.raises(StartupError, match="SystemExit: 3"):
        GraphRegistry(write({"a": "./leaves.py:graph"}))


def test_a_long_complaint_becomes_one_line(write, tmp_path):
    (tmp_path / "complains.py").write_text("raise ValueError('first\\n  second')\n")
    with pytest.raises(StartupError, match="ValueError: first second. Correct that file"):
        GraphRegistry(write({"a": "./complains.py:graph"}))
