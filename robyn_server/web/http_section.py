"""The section `http` of langgraph.json: what of our API is served, and what stands around it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from robyn_server.errors import StartupError
from robyn_server.resources.types import Json
from robyn_server.web.cors import CorsPolicy
from robyn_server.web.routing import Handler, Reply, Request, Route, Surface

GROUPS: Mapping[str, re.Pattern[str]] = {
    name: re.compile(f"(?:{pattern})(?:/|$)")
    for name, pattern in {
        "a2a": r"/a2a|/\.well-known/agent(?:-card)?\.json",
        "mcp": "/mcp",
        "ui": "/ui",
        "assistants": "/assistants",
        "store": "/store",
        "event_streaming": r"/threads/\{\w+\}/(?:commands|stream/events)",
        "runs": r"/runs|/threads/\{\w+\}/runs",
        "threads": "/threads",
    }.items()
}
"""The paths that `disable_<name>` takes away; the first that matches counts."""

META = "system"
"""The surface that `disable_meta` takes away, all but `/ok`."""

UNDOCUMENTED = frozenset({"a2a", "mcp"})
"""Disabled groups that also leave the OpenAPI document. As on the reference, others stay in it."""

TOGETHER = {"runs": "event_streaming"}
"""What goes with a group: a run cannot be started by event streaming when there are none."""


@dataclass(frozen=True, slots=True)
class HttpSection:
    """`app` names a custom ASGI application (`./file.py:name`); with `auth_first` callers are asked who they are before
    its middleware sees the request; `custom_routes_need_caller`: its own routes are not open to strangers."""

    app: str | None = None
    cors: CorsPolicy | None = None
    logging_headers: Mapping[str, Json] = field(default_factory=dict)
    disabled: frozenset[str] = frozenset()
    auth_first: bool = False
    custom_routes_need_caller: bool = False

    @classmethod
    def read(cls, section: Mapping[str, Json], cors: Mapping[str, Json] | None = None) -> "HttpSection":
        """`cors` (from the environment) takes the place of the section's. Raises `StartupError`."""
        for name in ("cors", "logging_headers", "configurable_headers"):
            if not isinstance(section.get(name), dict | None):
                raise StartupError(f'"http.{name}" in langgraph.json must be an object: correct it.')
        order = section.get("middleware_order", "middleware_first")
        if order not in ("middleware_first", "auth_first"):
            raise StartupError(
                f'"http.middleware_order" in langgraph.json is {order!r}: make it "middleware_first" or "auth_first".'
            )
        disabled = {name for name in (*GROUPS, "meta") if section.get(f"disable_{name}")}
        cors = cors or section.get("cors")
        return cls(
            app=section.get("app"),
            cors=CorsPolicy.from_config(cors) if cors else None,
            logging_headers=section.get("logging_headers") or {},
            disabled=frozenset(disabled | {also for name, also in TOGETHER.items() if name in disabled}),
            auth_first=order == "auth_first",
            custom_routes_need_caller=bool(section.get("enable_custom_route_auth")),
        )

    def served(self, surface: Surface) -> Surface:
        """The surface without the routes that are disabled."""
        if surface.name == META and "meta" in self.disabled:
            routes = tuple(_bare(route) for route in surface.routes if route.path == "/ok")
        else:
            routes = tuple(route for route in surface.routes if _group(route.path) not in self.disabled)
        refusals = tuple(one for one in surface.refusals if _group(one.path) not in self.disabled)
        return replace(surface, routes=routes, refusals=refusals)

    def documented(self, surface: Surface) -> Surface:
        """The surface as the OpenAPI document shows it."""
        hidden = self.disabled & UNDOCUMENTED
        return replace(
            surface, routes=tuple(route for route in surface.routes if _group(route.path) not in hidden)
        )


def _group(path: str) -> str:
    return next((name for name, pattern in GROUPS.items() if pattern.match(path)), "")


def _bare(route: Route) -> Route:
    """The health check, saying nothing of what the server is made of."""
    check: Handler = route.handler

    async def ok(request: Request) -> Reply:
        await check(request)
        return Reply.json({"ok": True})

    return replace(route, handler=ok)
