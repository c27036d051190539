"""The folders among the `dependencies` of a langgraph.json: they go on sys.path, as if installed."""

import sys
from pathlib import Path

from robyn_server.errors import StartupError
from robyn_server.graphs.config_file import ConfigFile


def is_folder(dependency: str) -> bool:
    """Whether an entry names a folder and not a requirement."""
    return dependency.startswith(".") or Path(dependency).is_absolute()


def extend_path(config_file: ConfigFile) -> None:
    """Put the project's folders at the front of sys.path, in the order of the file. Raises `StartupError`."""
    for position, folder in enumerate(search_path(config_file)):
        if folder not in sys.path:
            sys.path.insert(position, folder)


def search_path(config_file: ConfigFile) -> tuple[str, ...]:
    """The folders from which the project's own modules are imported. Raises `StartupError`."""
    found: list[Path] = []
    for folder in folders(config_file):
        found.append(folder)
        if (folder / "__init__.py").is_file():
            # A folder that is itself a package is imported by its own name.
            found.append(folder.parent)
        elif (folder / "src").is_dir() and not (folder / "src" / "__init__.py").exists():
            # What `pip install -e` would put on the path for a project in src layout.
            found.append(folder / "src")
    found.append(config_file.folder)
    return tuple(dict.fromkeys(str(folder) for folder in found))


def folders(config_file: ConfigFile) -> list[Path]:
    """Absolute. Raises `StartupError` for one that is missing."""
    found = []
    for entry in filter(is_folder, config_file.dependencies):
        folder = (config_file.folder / entry).resolve()
        if not folder.is_dir():
            raise StartupError(
                f'"dependencies" in {config_file.path} names {entry}, which is no folder: correct it.'
            )
        found.append(folder)
    return found
