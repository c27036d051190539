"""The requirements among the `dependencies` of a langgraph.json: they are looked up, never installed."""

import tomllib
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement

from robyn_server.errors import StartupError
from robyn_server.graphs.config_file import ConfigFile
from robyn_server.graphs.dependencies import folders, is_folder


def missing_dependencies(config_file: ConfigFile) -> tuple[str, ...]:
    """Requirements that are not met, each as `requirement (why)`: those of the file itself, and of a
    requirements.txt or pyproject.toml inside its folders. Raises `StartupError`."""
    wanted = [entry for entry in config_file.dependencies if not is_folder(entry)]
    for folder in folders(config_file):
        wanted += [*_requirements_txt(folder / "requirements.txt"), *_pyproject(folder / "pyproject.toml")]
    problems = ((entry, _problem(entry)) for entry in dict.fromkeys(wanted))
    return tuple(f"{entry} ({problem})" for entry, problem in problems if problem)


def _problem(entry: str) -> str | None:
    try:
        requirement = Requirement(entry)
    except InvalidRequirement:
        return "not a requirement"
    if requirement.marker is not None and not requirement.marker.evaluate():
        return None
    try:
        version = metadata.version(requirement.name)
    except metadata.PackageNotFoundError:
        return "not installed"
    if not requirement.specifier.contains(version, prereleases=True):
        return f"installed: {version}"
    return None


def _requirements_txt(file: Path) -> Iterator[str]:
    """The plain lines; options, links and paths are for pip alone."""
    if not file.is_file():
        return
    for line in file.read_text(encoding="utf-8").splitlines():
        text = line.partition(" #")[0].strip()
        if text and not text.startswith(("#", "-", ".", "/")) and "://" not in text.partition("@")[0]:
            yield text


def _pyproject(file: Path) -> list[str]:
    if not file.is_file():
        return []
    try:
        project = tomllib.loads(file.read_text(encoding="utf-8")).get("project", {})
    except tomllib.TOMLDecodeError as error:
        raise StartupError(f"{file} is not valid TOML ({error}): correct it.") from error
    return [entry for entry in project.get("dependencies", []) if isinstance(entry, str)]
