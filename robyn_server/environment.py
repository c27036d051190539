"""Where settings come from: the real environment, `env` of langgraph.json, `.env` beside it; and which sections of
langgraph.json a variable stands for.

Knows files and precedence, not the settings themselves.
"""

import json
import os
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from dotenv import dotenv_values

from robyn_server.errors import StartupError

SECTIONS: Final[Mapping[str, str]] = {
    "graphs": "LANGSERVE_GRAPHS",
    "auth": "LANGGRAPH_AUTH",
    "store": "LANGGRAPH_STORE",
    "checkpointer": "LANGGRAPH_CHECKPOINTER",
    "http": "LANGGRAPH_HTTP",
    "webhooks": "LANGGRAPH_WEBHOOKS",
    "encryption": "LANGGRAPH_ENCRYPTION",
}
"""Sections of langgraph.json, and the variable that replaces each: the names with which the reference's images are
configured."""


@dataclass(frozen=True, slots=True)
class Sources:
    """What was found. `project` is `env` over `.env`; `merged` the real environment over that."""

    project: Mapping[str, str]
    merged: Mapping[str, str]
    sections: Mapping[str, Any]
    """langgraph.json, with the sections that `merged` replaces."""
    database_url: str | None
    """DATABASE_URL of the real environment, if it asks for PostgreSQL: in a project it is usually the project's own
    database."""

    def section(self, name: str) -> Mapping[str, Any]:
        """One of them, empty when it is missing. Raises `StartupError` when it is no object."""
        found = self.sections.get(name) or {}
        if not isinstance(found, dict):
            raise StartupError(f'"{name}" in langgraph.json must be an object: correct it.')
        return found

    @property
    def auth_path(self) -> str | None:
        """`auth.path`."""
        return text_at(self.sections, "auth", "path")

    @property
    def mount_prefix(self) -> str | None:
        """`http.mount_prefix`."""
        return text_at(self.sections, "http", "mount_prefix")


def read_sources(config_path: Path, environ: Mapping[str, str]) -> Sources:
    """Read what stands beside and in a langgraph.json. A missing langgraph.json counts as empty: who
    needs its graphs will say so. Raises `StartupError` for files that cannot be read."""
    written = read_object(config_path)
    project = {**read_dotenv(config_path.parent / ".env"), **declared_env(config_path, written.get("env"))}
    merged = {**project, **environ}
    return Sources(
        project=project,
        merged=merged,
        sections={**written, **replaced_sections(merged)},
        database_url=postgres_url(environ),
    )


def replaced_sections(variables: Mapping[str, str]) -> dict[str, Any]:
    """Sections that a variable of SECTIONS stands for: an object each, or None (as if the section were missing). Raises
    `StartupError`."""
    return {
        section: _section(name, variables[name]) for section, name in SECTIONS.items() if variables.get(name)
    }


def _section(name: str, value: str) -> dict[str, Any] | None:
    try:
        found = json.loads(value)
    except json.JSONDecodeError as error:
        raise StartupError(
            f"{name} is not valid JSON ({error.msg} at column {error.colno}): correct it."
        ) from error
    if not isinstance(found, dict | None):
        raise StartupError(f"{name} must be a JSON object: correct it.")
    return found


def text_at(section: Mapping[str, Any], name: str, key: str) -> str | None:
    """A text inside an object of langgraph.json, None when either is missing."""
    inner = section.get(name)
    value = inner.get(key) if isinstance(inner, dict) else None
    return value if isinstance(value, str) else None


def provide(project: Mapping[str, str], environ: MutableMapping[str, str] | None = None) -> None:
    """Show the project's variables to its graphs; what the real environment says stays."""
    target = os.environ if environ is None else environ
    for name, value in project.items():
        target.setdefault(name, value)


def read_object(config_path: Path) -> dict[str, Any]:
    """The langgraph.json as a dict, empty when there is none."""
    try:
        value = json.loads(config_path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise StartupError(f"{config_path} cannot be read ({error}): check the file.") from error
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise StartupError(
            f"{config_path} is not valid JSON ({error.msg} at {where}): correct it."
        ) from error
    if not isinstance(value, dict):
        raise StartupError(f"{config_path} must hold a JSON object: correct it.")
    return value


def declared_env(config_path: Path, env: object) -> dict[str, str]:
    """The `env` section: a file's path, relative to langgraph.json, or an object. A file that is missing counts as
    empty: images get their variables from outside."""
    if env is None:
        return {}
    if isinstance(env, str):
        return read_dotenv(config_path.parent / env)
    if isinstance(env, dict):
        return {name: value if isinstance(value, str) else json.dumps(value) for name, value in env.items()}
    raise StartupError(f'"env" in {config_path} must be a file path or an object: correct it.')


def read_dotenv(file: Path) -> dict[str, str]:
    """The variables of a .env file, empty when there is none."""
    try:
        found = dotenv_values(file, encoding="utf-8") if file.is_file() else {}
    except (OSError, UnicodeDecodeError) as error:
        raise StartupError(f"{file} cannot be read ({error}): check the file.") from error
    return {name: value for name, value in found.items() if value is not None}


def postgres_url(environ: Mapping[str, str]) -> str | None:
    """DATABASE_URL, when it is an address of PostgreSQL."""
    url = environ.get("DATABASE_URL", "")
    return url if url.startswith(("postgres://", "postgresql://", "postgresql+")) else None
