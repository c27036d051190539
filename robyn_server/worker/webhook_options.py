"""What the section `webhooks` of langgraph.json and the settings say of sending."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from robyn_server.errors import StartupError
from robyn_server.resources.types import Json, JsonObject

TEMPLATE = re.compile(r"\$\{\{\s*(.*?)\s*\}\}")
VARIABLE = re.compile(r"env\.(\w+)")
PREFIX = "LG_WEBHOOK_"


@dataclass(frozen=True, slots=True)
class WebhookOptions:
    """`headers` go with every call; `allowed_fields` are the keys of the body that are sent, None: all. With a `secret`
    each body is signed."""

    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    allowed_fields: frozenset[str] | None = None
    secret: str | None = field(default=None, repr=False)
    enabled: bool = True

    @classmethod
    def from_config(
        cls, section: JsonObject, environ: Mapping[str, str], *, secret: str | None, enabled: bool
    ) -> "WebhookOptions":
        """`environ` is where `${{ env.NAME }}` of the headers is looked up. Raises `StartupError`."""
        prefix = section.get("env_prefix", PREFIX)
        headers = section.get("headers") or {}
        allowed = section.get("allowed_fields")
        if not isinstance(headers, dict) or not isinstance(prefix, str):
            raise StartupError(
                '"webhooks" in langgraph.json has unusable "headers": make it an object of texts.'
            )
        if not isinstance(allowed, list | None):
            raise StartupError('"webhooks.allowed_fields" in langgraph.json must be a list: correct it.')
        return cls(
            {name: _filled(name, value, prefix, environ) for name, value in headers.items()},
            None if allowed is None else frozenset(map(str, allowed)),
            secret,
            enabled,
        )


def _filled(name: str, template: Json, prefix: str, environ: Mapping[str, str]) -> str:
    """A header's value with its variables put in: only those whose name begins with the prefix, so that a project file
    cannot send a server's other secrets away."""

    def value_of(found: re.Match[str]) -> str:
        variable = VARIABLE.fullmatch(found[1])
        if variable is None:
            raise StartupError(f"The webhook header {name!r} holds {found[0]}: write ${{{{ env.NAME }}}}.")
        if not variable[1].startswith(prefix):
            raise StartupError(
                f"The webhook header {name!r} asks for {variable[1]}, but only variables that begin with {prefix} may"
                ' be used: rename it, or set "webhooks.env_prefix".'
            )
        if variable[1] not in environ:
            raise StartupError(f"The webhook header {name!r} needs the variable {variable[1]}: set it.")
        return environ[variable[1]]

    if not isinstance(template, str):
        raise StartupError(f"The webhook header {name!r} in langgraph.json must be a text: correct it.")
    return TEMPLATE.sub(value_of, template)
