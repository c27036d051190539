"""Which headers a project means: `{"includes": [patterns], "excludes": [patterns]}` of langgraph.json."""

from collections.abc import Mapping
from fnmatch import fnmatchcase

from robyn_server.resources.types import Json

SECRET = frozenset({"authorization", "x-api-key", "x-tenant-id", "x-service-key"})
"""Never meant, whatever the patterns say."""


def means(rules: Mapping[str, Json], name: str) -> bool:
    """Whether the rules name a header (lower case); `*` stands for any text, excludes win, no rules mean none."""
    if name in SECRET:
        return False
    includes = [*rules.get("includes", ()), *rules.get("include", ())]
    excludes = [*rules.get("excludes", ()), *rules.get("exclude", ())]
    return _any(name, includes) and not _any(name, excludes)


def _any(name: str, patterns: list[str]) -> bool:
    return any(fnmatchcase(name, pattern.lower()) for pattern in patterns)
