"""Our words for HTTP: a `Route` names a handler; a handler takes a `Request`, gives a `Reply` or an `EventStream`.

Surfaces are tables of `Route`s. Handlers are plain functions that a test may call.
"""

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

import orjson

from robyn_server.errors import Unprocessable
from robyn_server.resources.caller import ANONYMOUS, Caller
from robyn_server.resources.types import Json
from robyn_server.wire.sse import HEARTBEAT

if TYPE_CHECKING:
    from robyn_server.engine import Engine

Headers: TypeAlias = Mapping[str, str]


@dataclass(slots=True)
class Request:
    """One HTTP request, decoded. `engine` already acts for `caller`, so no handler can forget to authorize."""

    method: str
    path: str
    path_params: Mapping[str, str]
    """Percent-decoded."""
    query: Mapping[str, Sequence[str]]
    """Percent-decoded, every value of a repeated parameter."""
    headers: Headers
    """Lower-case names."""
    body: bytes
    engine: "Engine"
    caller: Caller = ANONYMOUS
    request_id: str = ""
    base_url: str = ""
    """`http://host[:port]` as the client spelled it, for absolute links."""
    client: str = ""
    """The address at the other end of the connection: that of a proxy, if there is one."""
    received_ms: int = 0
    """Unix milliseconds of arrival."""
    files: Mapping[str, bytes] = field(default_factory=dict)
    """Of a multipart body, by file name; `web/uploads.py` puts them in order."""
    form: Mapping[str, str] = field(default_factory=dict)
    """The other fields of a multipart body."""
    _json: Json = field(default=None, repr=False)

    def json(self) -> Json:
        """The parsed body. Raises `Unprocessable` for anything that is not JSON, an empty body included."""
        if self._json is None:
            self._json = parse_json(self.body)
        return self._json

    def query_value(self, name: str) -> str | None:
        """The last value of a query parameter, None when absent."""
        values = self.query.get(name)
        return values[-1] if values else None


ESCAPED_NUL = re.compile(rb"(?<!\\)((?:\\\\)*)\\u0000")
"""NUL in a string: no database takes it, so it is read as U+FFFD, as the reference does."""


def parse_json(body: bytes) -> Json:
    """JSON as the reference reads it. Raises `Unprocessable`."""
    if b"\\u0000" in body:
        body = ESCAPED_NUL.sub(rb"\1\\ufffd", body)
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Unprocessable("Invalid JSON in request body") from error


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole answer. `content_type` None: no body and no content type."""

    status: int = 200
    body: bytes = b""
    content_type: str | None = "application/json"
    headers: Headers = field(default_factory=dict)
    cookies: tuple[str, ...] = ()
    """Values of `set-cookie`, the one header that cannot be joined."""

    @classmethod
    def json(cls, value: Json, status: int = 200, headers: Headers | None = None) -> "Reply":
        """A JSON answer; `value` may hold `orjson.Fragment`s and aware datetimes."""
        return cls(status, orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS), headers=headers or {})

    @classmethod
    def empty(cls, status: int = 204, headers: Headers | None = None) -> "Reply":
        """No body, no content type."""
        return cls(status, b"", None, headers or {})


@dataclass(frozen=True, slots=True)
class EventStream:
    """An answer that goes on: chunks of ready bytes (whole frames), sent as they come.

    The web room adds heartbeats every 5 s (`heartbeat`, None: none). When the client goes away before `chunks`
    has ended, the iterator is closed and `on_disconnect` is called; a stream that the server ends is no disconnect.
    `farewell` (None: none) is the last that a client is sent whose stream is broken off because the server stops.
    """

    chunks: AsyncIterator[bytes]
    headers: Headers = field(default_factory=dict)
    content_type: str = "text/event-stream; charset=utf-8"
    heartbeat: bytes | None = HEARTBEAT
    farewell: bytes | None = b": server is shutting down\r\n\r\n"
    on_disconnect: Callable[[], Awaitable[Any]] | None = None
    status: int = 200
    cookies: tuple[str, ...] = ()


Answer: TypeAlias = Reply | EventStream
Handler: TypeAlias = Callable[[Request], Awaitable[Answer]]


@dataclass(frozen=True, slots=True)
class Shown:
    """A body or an answer, for the OpenAPI document alone: `schema` names one of the surface's `SCHEMAS`."""

    schema: str
    content_type: str = "application/json"


@dataclass(frozen=True, slots=True)
class Route:
    """One method on one path, e.g. `Route("POST", "/threads/{thread_id}/runs", create_run, body="RunCreateStateful")`.

    `body` names the JSON schema (of the surface's `SCHEMAS`) that the body must satisfy; the web room validates before
    the handler runs. `public`: reachable without a caller.
    """

    method: str
    path: str
    handler: Handler
    body: str | None = None
    public: bool = False
    summary: str = ""
    tags: tuple[str, ...] = ()
    returns: str | Shown | None = None
    """(The name of) the schema of the answer, for the OpenAPI document."""
    shown_body: Shown | None = None
    """For the OpenAPI document: a body that the handler checks itself, in words of its own."""
    status: int = 200
    """Of a success, for the OpenAPI document."""
    other_answers: Mapping[int, tuple[str, Shown | None]] = field(default_factory=dict)
    """For the OpenAPI document: status -> what it means, and its body (None: empty), beside or instead of the usual."""
    query: tuple[tuple[str, str], ...] = ()
    """(name, JSON type) of documented query parameters."""
    before_body: Callable[[Request], object] | None = None
    """Raises for what is wrong with the request, such as an id in the path, even if its body is wrong too."""
    ticket: str | None = None
    """The resource whose tickets open this route, e.g. `thread:{thread_id}`; for streams and what runs read."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A method on a path that is answered before anything of the request is read, always with the same reply: where
    clients ask for a WebSocket, there is no end of a body to wait for."""

    method: str
    path: str
    reply: Reply


@dataclass(frozen=True, slots=True)
class Surface:
    """One HTTP API: its routes and the JSON schemas they name."""

    name: str
    routes: tuple[Route, ...]
    schemas: Mapping[str, Json] = field(default_factory=dict)
    refusals: tuple[Refusal, ...] = ()
