"""A langgraph.json of the test's choice over the graphs in tests/graphs."""

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from robyn_server.graphs.config_file import ConfigFile, read_config_file
from robyn_server.graphs.registry import GraphRegistry

GRAPHS = Path(__file__).parents[2] / "graphs"

Write = Callable[..., ConfigFile]


@pytest.fixture(autouse=True)
def import_path() -> Iterator[None]:
    """What a project puts on sys.path goes with the test."""
    before = list(sys.path)
    yield
    sys.path[:] = before


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """`write(graphs={...}, **other keys)` -> the parsed file, in an empty folder."""

    def written(graphs: Any, **keys: Any) -> ConfigFile:
        path = tmp_path / "langgraph.json"
        path.write_text(json.dumps({"graphs": graphs, **keys}))
        return read_config_file(path)

    return written


@pytest.fixture
def serving(write: Write) -> Callable[..., GraphRegistry]:
    """`serving("plain.py:echo", ...)` -> a registry whose graph ids are the names after the colon."""

    def registry(*targets: str) -> GraphRegistry:
        return GraphRegistry(write({target.partition(":")[2]: f"{GRAPHS}/{target}" for target in targets}))

    return registry
