"""All routes of all surfaces as one table: conflicts found at start, 404 told from 405. Pure."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from urllib.parse import unquote

from robyn_server.errors import StartupError
from robyn_server.web.routing import Route, Surface

PARAMETER = re.compile(r"\{(\w+)(:path)?\}")
ALSO_AT_ROOT = ("/", "/ok", "/metrics")
"""Load balancers ask for these without the mount prefix."""


@dataclass(frozen=True, slots=True)
class Placed:
    """A route and the path at which it is served."""

    route: Route
    path: str
    surface: Surface


class RouteTable:
    """Routes in the order of their surfaces. Raises `StartupError` for two routes that answer the same request."""

    def __init__(self, surfaces: Sequence[Surface], prefix: str = "") -> None:
        self.places = tuple(_place(surfaces, prefix))
        _refuse_conflicts(self.places)
        self.refusals = tuple(
            replace(refusal, path=prefix + refusal.path)
            for surface in surfaces
            for refusal in surface.refusals
        )
        """With the paths at which they are served."""
        self._patterns = [(_pattern(place.path), place.route) for place in self.places]
        self._by_precedence = [
            (_pattern(place.path), place)
            for place in sorted(self.places, key=lambda place: _rank(place.path))
        ]

    def allowed_methods(self, path: str) -> str | None:
        """The `Allow` header for a path that exists for other methods only, None for an unknown path.

        As on the reference: the methods of the first matching route, and a public route looks unknown.
        """
        path = path.rstrip("/") or "/"
        for pattern, route in self._patterns:
            if pattern.fullmatch(path):
                if route.public:
                    return None
                return "GET, HEAD" if route.method == "GET" else route.method
        return None

    def find(self, method: str, path: str) -> tuple[Placed, dict[str, str]] | None:
        """The route that takes a request, as Robyn would choose it (what is spelled out wins over a parameter, GET
        takes HEAD), and its decoded parameters. `path` undecoded."""
        path = path.rstrip("/") or "/"
        method = "GET" if method == "HEAD" else method
        for pattern, place in self._by_precedence:
            if place.route.method == method and (found := pattern.fullmatch(path)):
                names = [parameter[1] for parameter in PARAMETER.finditer(place.path)]
                return place, {
                    name: unquote(value) for name, value in zip(names, found.groups(), strict=True)
                }
        return None


def _rank(path: str) -> tuple[int, ...]:
    """Paths sorted by this are tried in the right order: segment by segment, words before parameters."""
    return tuple(2 if part.endswith(":path}") else int("{" in part) for part in path.split("/"))


def _place(surfaces: Sequence[Surface], prefix: str) -> Iterator[Placed]:
    for surface in surfaces:
        for route in surface.routes:
            yield Placed(route, (prefix + route.path).rstrip("/") or "/", surface)
            if prefix and route.path in ALSO_AT_ROOT:
                yield Placed(route, route.path, surface)


def _pattern(path: str) -> re.Pattern[str]:
    """`/threads/{thread_id}` as a regular expression on undecoded paths."""
    parts = PARAMETER.split(path)
    literals, catch_all = parts[0::3], parts[2::3]
    pattern = re.escape(literals[0])
    for literal, whole in zip(literals[1:], catch_all, strict=True):
        pattern += ("(.+)" if whole else "([^/]+)") + re.escape(literal)
    return re.compile(pattern)


def _refuse_conflicts(places: Sequence[Placed]) -> None:
    """Robyn silently drops the later of two conflicting routes, so they are looked for here."""
    seen: dict[tuple[str, str], Placed] = {}
    for place in places:
        if place.path.startswith("/{"):
            raise StartupError(f"{_described(place)} begins with a parameter, which no route may.")
        shape = PARAMETER.sub(lambda found: "*" if found[2] else "{}", place.path)
        rivals = [shape]
        if shape.endswith("*"):
            rivals.append(shape.removesuffix("*") + "{}")
        elif shape.endswith("{}"):
            rivals.append(shape.removesuffix("{}") + "*")
        for rival in rivals:
            other = seen.get((place.route.method, rival))
            if other is not None:
                raise StartupError(f"{_described(place)} conflicts with {_described(other)}: remove one.")
        seen[place.route.method, shape] = place


def _described(place: Placed) -> str:
    return f"Route {place.route.method} {place.path} of surface {place.surface.name}"
