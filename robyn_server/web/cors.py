"""Which browser origins may call, and the headers that say so. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from robyn_server.resources.types import Json
from robyn_server.web.routing import Headers, Reply

METHODS = ("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT")
EXPOSED = ("x-pagination-total", "x-pagination-next", "content-location", "location")
VARY: Headers = {"vary": "Origin"}
SAFELISTED = frozenset({"accept", "accept-language", "content-language", "content-type"})


@dataclass(frozen=True)
class CorsPolicy:
    """The default lets every origin in, without credentials. `max_age` in seconds."""

    allow_origins: tuple[str, ...] = ("*",)
    allow_methods: tuple[str, ...] = METHODS
    allow_headers: tuple[str, ...] = ("*",)
    allow_credentials: bool = False
    allow_origin_regex: str | None = None
    expose_headers: tuple[str, ...] = EXPOSED
    max_age: int = 600
    allow_private_network: bool = True

    @classmethod
    def from_config(cls, section: Mapping[str, Json]) -> "CorsPolicy":
        """The `http.cors` section of langgraph.json, which replaces the default as a whole."""
        methods = tuple(section.get("allow_methods") or ("GET",))
        return cls(
            allow_origins=tuple(section.get("allow_origins") or ()),
            allow_methods=METHODS if "*" in methods else methods,
            allow_headers=tuple(section.get("allow_headers") or ()),
            allow_credentials=bool(section.get("allow_credentials")),
            allow_origin_regex=section.get("allow_origin_regex"),
            expose_headers=tuple(section.get("expose_headers") or ()),
            max_age=int(section.get("max_age", 600)),
            allow_private_network=False,
        )

    def headers(self, origin: str | None) -> Headers:
        """What every answer carries, errors and streams included; `origin` as the browser sent it."""
        if origin is None or not self.allows(origin):
            return VARY
        if self._open:
            return self._shared
        return {**self._shared, "access-control-allow-origin": origin}

    def allows(self, origin: str) -> bool:
        """Whether a page of this origin may call."""
        if "*" in self.allow_origins or origin in self.allow_origins:
            return True
        return self._origin_pattern is not None and self._origin_pattern.fullmatch(origin) is not None

    def preflight(self, origin: str, method: str, asked: str | None) -> Reply:
        """The answer to an OPTIONS request with `access-control-request-method`; `asked` lists header names."""
        refused = []
        if not self.allows(origin):
            refused.append("origin")
        if method not in self.allow_methods:
            refused.append("method")
        if asked is not None and not self._takes_headers(asked):
            refused.append("headers")
        headers = {
            "access-control-allow-methods": ", ".join(self.allow_methods),
            "access-control-max-age": str(self.max_age),
        }
        if "*" not in self.allow_headers:
            headers["access-control-allow-headers"] = ", ".join(sorted(SAFELISTED | set(self.allow_headers)))
        elif asked is not None:
            headers["access-control-allow-headers"] = asked
        text = f"Disallowed CORS {', '.join(refused)}" if refused else "OK"
        return Reply(400 if refused else 200, text.encode(), "text/plain; charset=utf-8", headers)

    def _takes_headers(self, asked: str) -> bool:
        if "*" in self.allow_headers:
            return True
        known = SAFELISTED | {name.lower() for name in self.allow_headers}
        return all(name.strip().lower() in known for name in asked.split(","))

    @cached_property
    def _open(self) -> bool:
        # Browsers refuse `*` together with credentials.
        return "*" in self.allow_origins and not self.allow_credentials

    @cached_property
    def _origin_pattern(self) -> re.Pattern[str] | None:
        return re.compile(self.allow_origin_regex) if self.allow_origin_regex else None

    @cached_property
    def _shared(self) -> dict[str, str]:
        headers = {**VARY, "access-control-allow-origin": "*"}
        if self.expose_headers:
            headers["access-control-expose-headers"] = ", ".join(self.expose_headers)
        if self.allow_credentials:
            headers["access-control-allow-credentials"] = "true"
        return headers
