"""Says whether a langgraph.json can be served, and why not."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from langgraph.pregel import Pregel

from robyn_server.errors import StartupError
from robyn_server.graphs.checkpointer_section import checkpointer_source
from robyn_server.graphs.config_file import ConfigFile, GraphSpec, environment, read_config_file
from robyn_server.graphs.config_review import unused_keys, wrong_values
from robyn_server.graphs.dependencies import extend_path
from robyn_server.graphs.loader import load
from robyn_server.graphs.registry import source_of
from robyn_server.graphs.requirements import missing_dependencies
from robyn_server.graphs.store_section import store_index, store_ttl

OBJECTS = (
    ("auth", "path"),
    ("http", "app"),
    ("encryption", "path"),
    ("store", "path"),
    ("checkpointer", "path"),
)
"""Where a file names other things to load than graphs: `load` says whether they are there, not whether they will do."""


@dataclass(frozen=True, slots=True)
class Report:
    """`ok`: it can be served; warnings and unmet requirements do not change that. `lines` are for people."""

    ok: bool
    lines: tuple[str, ...]


def check(config_path: Path, variables: Mapping[str, str] | None = None) -> Report:
    """Read the file and what stands for it in `variables`, every section of it, and import every graph and whatever
    else it names; no factory is called. A `StartupError` becomes a line."""
    try:
        config_file = read_config_file(config_path, variables)
        environment(config_file)
        extend_path(config_file)
        missing = missing_dependencies(config_file)
    except StartupError as error:
        return Report(False, (f"error: {error}",))
    wrong = wrong_values(config_file.raw, config_file.path.name)
    lines = [f"error: {sentence}" for sentence in wrong]
    lines += [f"warning: {warning}" for warning in config_file.warnings]
    lines += [f"ignored: {sentence}" for sentence in unused_keys(config_file.raw)]
    lines += [f"missing: {requirement}" for requirement in missing]
    found = [_graph(config_file, graph_id, spec) for graph_id, spec in config_file.graphs.items()]
    found += _store(config_file)
    found += _backend(config_file)
    found += [one for names in OBJECTS for one in _object(config_file, *names)]
    return Report(not wrong and all(ok for ok, _ in found), (*lines, *(line for _, line in found)))


def _graph(config_file: ConfigFile, graph_id: str, spec: GraphSpec) -> tuple[bool, str]:
    try:
        source = source_of(config_file, graph_id, spec)
    except StartupError as error:
        return False, f"error: {error}"
    kind = "graph" if isinstance(source, Pregel) else "factory"
    return True, f"ok: {graph_id} ({kind}, {spec.target})"


def _object(config_file: ConfigFile, section: str, key: str) -> list[tuple[bool, str]]:
    spec = config_file.named(section, key)
    if spec is None or not isinstance(spec.target, str):
        return []
    try:
        load(config_file, f'"{section}.{key}"', spec)
    except StartupError as error:
        return [(False, f"error: {error}")]
    return [(True, f"ok: {section} ({spec.target})")]


def _backend(config_file: ConfigFile) -> list[tuple[bool, str]]:
    try:
        checkpointer_source(config_file)
    except StartupError as error:
        return [(False, f"error: {error}")]
    return []


def _store(config_file: ConfigFile) -> list[tuple[bool, str]]:
    try:
        store_ttl(config_file)
        index = store_index(config_file)
    except StartupError as error:
        return [(False, f"error: {error}")]
    return [(True, f"ok: store (by meaning, {index['dims']} dimensions)")] if index else []
