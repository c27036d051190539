"""A project to serve."""

import json
from pathlib import Path

import pytest

GRAPH = """
from langgraph.graph import START, MessagesState, StateGraph

graph = StateGraph(MessagesState).add_node("echo", lambda state: {}).add_edge(START, "echo").compile()
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with a langgraph.json of one graph, `echo`."""
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "graphs.py").write_text(GRAPH)
    config = {"dependencies": ["."], "graphs": {"echo": "./graphs.py:graph"}}
    (folder / "langgraph.json").write_text(json.dumps(config))
    return folder
