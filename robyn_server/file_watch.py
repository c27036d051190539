"""For `serve --reload`: has a file of the project changed? Looks at modification times."""

import os
from collections.abc import Iterator
from pathlib import Path

IGNORED_FOLDERS = frozenset({"__pycache__", "node_modules", "site-packages", "venv", "build", "dist"})


class FileWatch:
    """The Python files below the folder of a langgraph.json, that file and the .env files beside it."""

    def __init__(self, config_path: Path) -> None:
        self._config_path = config_path
        self._seen = self._look()

    def changed(self) -> bool:
        """Whether something was changed, added or removed since the last answer."""
        now = self._look()
        different = now != self._seen
        self._seen = now
        return different

    def _look(self) -> dict[str, int]:
        found = {}
        for file in (self._config_path, *self._config_path.parent.glob(".env*")):
            found[str(file)] = modified_at(file)
        for name in python_files(self._config_path.parent):
            found[name] = modified_at(name)
        return found


def modified_at(file: Path | str) -> int:
    """Nanoseconds; 0 when there is no such file."""
    try:
        return os.stat(file).st_mtime_ns
    except OSError:
        return 0


def python_files(folder: Path) -> Iterator[str]:
    """All of a project but what tools put there."""
    for parent, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".") and name not in IGNORED_FOLDERS]
        yield from (os.path.join(parent, name) for name in files if name.endswith(".py"))
