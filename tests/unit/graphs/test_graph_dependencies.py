import sys
from pathlib import Path

import pytest

from robyn_server.errors import StartupError
from robyn_server.graphs.dependencies import extend_path, search_path
from robyn_server.graphs.requirements import missing_dependencies

ONE = {"agent": "./agent.py:graph"}


def test_folders_go_to_the_front_of_the_path(write, tmp_path: Path):
    (tmp_path / "lib" / "src").mkdir(parents=True)
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "__init__.py").touch()
    config_file = write(ONE, dependencies=["./lib", "./package", "langgraph"])
    wanted = [tmp_path / "lib", tmp_path / "lib" / "src", tmp_path / "package", tmp_path]
    assert search_path(config_file) == tuple(str(folder) for folder in wanted)
    extend_path(config_file)
    assert sys.path[:4] == [str(folder) for folder in wanted]


def test_a_missing_folder_is_refused(write):
    with pytest.raises(StartupError, match=r"names \./lib, which is no folder"):
        search_path(write(ONE, dependencies=["./lib"]))


def test_lists_what_is_missing_and_why(write, tmp_path: Path):
    (tmp_path / "requirements.txt").write_text(
        "# ours\n-r other.txt\nlanggraph>=1\nnot-there-a  # why\nnot-there-b; python_version < '3'\n"
    )
    (tmp_path / "pyproject.toml").write_text(
        "[project]\nname = 'x'\ndependencies = ['not-there-c[extra]>=2']\n"
    )
    config_file = write(ONE, dependencies=[".", "langgraph>=99", "not-there-a", "?"])
    found = missing_dependencies(config_file)
    assert found[0].startswith("langgraph>=99 (installed: ")
    assert found[1:] == (
        "not-there-a (not installed)",
        "? (not a requirement)",
        "not-there-c[extra]>=2 (not installed)",
    )
