"""`path.py:name` or `package.module:name` -> the object of that name."""

import hashlib
import importlib
import importlib.util
import logging
import sys
import traceback
from pathlib import Path
from types import ModuleType

from robyn_server.errors import StartupError
from robyn_server.graphs.config_file import ConfigFile, GraphSpec

logger = logging.getLogger(__name__)


def load(config_file: ConfigFile, label: str, spec: GraphSpec) -> object:
    """The object that an entry names; `label`, as in "Graph 'agent'", opens each error. The project's folders must
    be on sys.path (`dependencies.extend_path`). Raises `StartupError`."""
    module = _module(config_file, label, spec)
    try:
        found: object = getattr(module, spec.variable)
    except AttributeError:
        raise StartupError(
            f"{label}: {spec.location} has nothing named {spec.variable!r}; "
            f"correct what stands after the colon in {spec.place}."
        ) from None
    return found


def _module(config_file: ConfigFile, label: str, spec: GraphSpec) -> ModuleType:
    file = _file(config_file, label, spec) if spec.is_file else None
    try:
        return importlib.import_module(spec.location) if file is None else _import_file(config_file, file)
    except (Exception, SystemExit) as error:  # a project's module may raise anything
        logger.debug("%s failed to import", label, exc_info=True)
        reason = " ".join(traceback.format_exception_only(error)[-1].split())
        raise StartupError(
            f"{label} could not be imported from {spec.location}: {reason}. {_advice(error)}"
        ) from error


def _advice(error: BaseException) -> str:
    if isinstance(error, ModuleNotFoundError):
        return f'Install {error.name!r}, or name its folder in "dependencies".'
    return "Correct that file (--log-level DEBUG shows the traceback)."


def _file(config_file: ConfigFile, label: str, spec: GraphSpec) -> Path:
    file = (config_file.folder / spec.location).resolve()
    if file.suffix != ".py":
        raise StartupError(f"{label}: {spec.location} is no Python file, and only those can be served.")
    if not file.is_file():
        raise StartupError(f"{label}: {file} does not exist; correct its path in {spec.place}.")
    return file


def _import_file(config_file: ConfigFile, file: Path) -> ModuleType:
    """A file inside a package is imported by its dotted name, so that its relative imports work and other
    modules see the same classes; any other file under a name of its own."""
    _append_path(file.parent)
    if (file.parent / "__init__.py").is_file():
        dotted, root = _dotted_name(file)
        _append_path(root)
        found = importlib.util.find_spec(dotted)
        if found is not None and found.origin is not None and Path(found.origin).resolve() == file:
            return importlib.import_module(dotted)
    return _import_alone(_own_name(config_file, file), file)


def _append_path(folder: Path) -> None:
    # Last, so that a project's types.py or mcp/ beside the graph does not hide a library of the server.
    if str(folder) not in sys.path:
        sys.path.append(str(folder))


def _dotted_name(file: Path) -> tuple[str, Path]:
    """The name of a file in its outermost package, and the folder that package stands in."""
    parts, folder = [file.stem], file.parent
    while (folder / "__init__.py").is_file():
        parts.insert(0, folder.name)
        folder = folder.parent
    if file.stem == "__init__":
        parts.pop()
    return ".".join(parts), folder


def _own_name(config_file: ConfigFile, file: Path) -> str:
    """The same after a restart, and after the project has moved: checkpoints name classes by their module."""
    try:
        place = file.relative_to(config_file.folder.resolve())
    except ValueError:
        place = file
    return f"langgraph_file_{file.stem}_{hashlib.sha256(place.as_posix().encode()).hexdigest()[:8]}"


def _import_alone(name: str, file: Path) -> ModuleType:
    known = sys.modules.get(name)
    if known is not None and known.__file__ == str(file):
        return known
    found = importlib.util.spec_from_file_location(name, file)
    if found is None or found.loader is None:
        raise ImportError(f"{file} cannot be imported")
    module = importlib.util.module_from_spec(found)
    sys.modules[name] = module
    try:
        found.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module
