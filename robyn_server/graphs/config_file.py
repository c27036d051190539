"""langgraph.json, and the variables that replace its sections, parsed and checked. Imports no graph and nothing of
LangGraph, so it is cheap to read."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from robyn_server.environment import SECTIONS, declared_env, read_object, replaced_sections
from robyn_server.errors import StartupError
from robyn_server.graphs.config_review import overruled_keys, unknown_keys, wrong_values
from robyn_server.resources.types import Json, JsonObject

OBJECT_SECTIONS = ("auth", "store", "checkpointer", "http", "webhooks", "encryption", "ui", "ui_config")


@dataclass(frozen=True, slots=True)
class GraphSpec:
    """One entry of `graphs`: `target` is `path.py:name` or `package.module:name`."""

    target: str
    description: str | None = None
    place: str = "langgraph.json"
    """Where it is written, for errors."""

    @property
    def location(self) -> str:
        """The file or module: what stands before the last colon."""
        return self.target.rpartition(":")[0]

    @property
    def variable(self) -> str:
        """The name in that file: what stands after the last colon."""
        return self.target.rpartition(":")[2]

    @property
    def is_file(self) -> bool:
        """Whether `location` is a path rather than a module's dotted name."""
        return self.location.endswith(".py") or "/" in self.location or "\\" in self.location


@dataclass(frozen=True, slots=True)
class ConfigFile:
    """What a langgraph.json says. `raw` is the whole object, for the sections (`http`, `store`, ...) that
    other rooms read."""

    path: Path
    """Absolute."""
    graphs: Mapping[str, GraphSpec]
    """In the order of the file."""
    dependencies: tuple[str, ...]
    """As written: folders (they start with a dot or are absolute) and requirements."""
    raw: JsonObject
    warnings: tuple[str, ...]
    """One sentence for each key that this server does not know, and for a file of variables that is not there."""
    replaced: frozenset[str] = frozenset()
    """Sections that came from a variable."""

    @property
    def folder(self) -> Path:
        """Where relative paths start."""
        return self.path.parent

    def section(self, name: str) -> JsonObject:
        """A section as an object, empty when it is missing."""
        return self.raw.get(name) or {}

    def named(self, section: str, key: str = "path") -> GraphSpec | None:
        """What a section names to be loaded, None when it names nothing."""
        target = self.section(section).get(key)
        return GraphSpec(target, place=self.place(section)) if target else None

    def place(self, section: str) -> str:
        """Where a section stands, for errors: the name of the file, or of the variable."""
        return SECTIONS[section] if section in self.replaced else self.path.name


def read_config_file(path: Path, variables: Mapping[str, str] | None = None) -> ConfigFile:
    """Parse and check; `variables` may stand for sections, and for a file that is missing. Raises `StartupError` with
    one sentence that says what to do."""
    path = path.expanduser().absolute()
    replaced = replaced_sections(variables or {})
    if not path.is_file() and "graphs" not in replaced:
        raise StartupError(f"{path} does not exist: create it or name another file with --config.")
    written = read_object(path)
    for name in OBJECT_SECTIONS:
        if not isinstance(written.get(name, {}), dict | None):
            raise StartupError(f'"{name}" in {path} must be an object: correct it.')
    raw = {**written, **replaced}
    return ConfigFile(
        path=path,
        graphs=_graphs(path, raw.get("graphs"), SECTIONS["graphs"] if "graphs" in replaced else None),
        dependencies=_dependencies(path, raw.get("dependencies", [])),
        raw=raw,
        warnings=(
            *unknown_keys({key: value for key, value in written.items() if key not in replaced}, path.name),
            *_reviewed(replaced),
            *overruled_keys(raw),
            *_missing_env(path, raw.get("env")),
        ),
        replaced=frozenset(replaced),
    )


def _reviewed(replaced: JsonObject) -> list[str]:
    """What is unknown in sections of the environment. What is of a wrong kind there is refused: nobody runs `check` on
    variables."""
    unknown: list[str] = []
    for section, value in replaced.items():
        given, name = {section: value}, SECTIONS[section]
        if section == "graphs":
            # Its own errors say more.
            continue
        for sentence in wrong_values(given, name):
            raise StartupError(sentence)
        unknown += unknown_keys(given, name)
    return unknown


def environment(config_file: ConfigFile) -> dict[str, str]:
    """The variables of `env`, from the object or the dotenv file it names. Raises `StartupError`."""
    return declared_env(config_file.path, config_file.raw.get("env"))


def _missing_env(path: Path, env: Json) -> list[str]:
    if not isinstance(env, str) or not env or (path.parent / env).is_file():
        return []
    return [f'"env" in {path.name} names {env}, which does not exist: create it or remove the key.']


def _graphs(path: Path, graphs: Json, variable: str | None) -> dict[str, GraphSpec]:
    if not isinstance(graphs, dict) or not graphs:
        raise StartupError(
            f'{path} names no graphs: add "graphs": {{"agent": "./agent.py:graph"}} with a file of yours.'
            if variable is None
            else f'{variable} names no graphs: set it to {{"agent": "./agent.py:graph"}} with a file of yours.'
        )
    return {
        graph_id: _graph(variable or str(path), variable or path.name, graph_id, entry)
        for graph_id, entry in graphs.items()
    }


def _graph(path: str, name: str, graph_id: str, entry: Json) -> GraphSpec:
    target, description = entry, None
    if isinstance(entry, dict):
        target, description = entry.get("path"), entry.get("description")
    spec = GraphSpec(target, description, name) if isinstance(target, str) else None
    if spec is None or not spec.location or not spec.variable.isidentifier():
        raise StartupError(
            f'Graph \'{graph_id}\' in {path} must be "./file.py:name", "package.module:name" or an object '
            f'with such a "path", not {target!r}: correct it.'
        )
    if not isinstance(description, str | None):
        raise StartupError(f"The description of graph '{graph_id}' in {path} must be a text: correct it.")
    return spec


def _dependencies(path: Path, dependencies: Json) -> tuple[str, ...]:
    if not isinstance(dependencies, list) or not all(isinstance(entry, str) for entry in dependencies):
        raise StartupError(f'"dependencies" in {path} must be a list of texts: correct it.')
    return tuple(dependencies)
