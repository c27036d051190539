"""ASGI's words and ours: scopes and requests, messages and replies. Pure but for the sending."""

from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from typing import Any, TypeAlias
from urllib.parse import quote, unquote, urlencode

from starlette.requests import Request as StarletteRequest

from robyn_server.web.routing import EventStream, Headers, Reply, Request

Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
AsgiApp: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]


def scope_of(request: Request, client: str | None, root_path: str, state: Mapping[str, Any]) -> Scope:
    """A request as ASGI sees it. `root_path` is the prefix under which everything is mounted."""
    scheme, _, address = request.base_url.partition("://")
    host, _, port = address.rpartition(":") if ":" in address else (address, "", "")
    pairs = [(name, value) for name, values in request.query.items() for value in values]
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": request.method,
        "scheme": scheme,
        "path": unquote(request.path),
        "raw_path": request.path.encode(),
        "query_string": urlencode(pairs).encode(),
        "root_path": root_path,
        "headers": [(name.encode(), value.encode()) for name, value in request.headers.items()],
        "client": (client, 0) if client else None,
        "server": (host, int(port) if port.isdecimal() else None),
        "state": dict(state),
    }


def parted(raw: Iterable[tuple[bytes, bytes]]) -> tuple[Headers, str | None, tuple[str, ...]]:
    """Headers, content type and cookies. Repeated headers are joined, but for cookies, which cannot be."""
    headers: dict[str, str] = {}
    cookies: list[str] = []
    for raw_name, raw_value in raw:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        if name == "set-cookie":
            cookies.append(value)
        elif name not in ("content-length", "transfer-encoding", "connection"):
            headers[name] = f"{headers[name]}, {value}" if name in headers else value
    if "vary" in headers and "origin" not in headers["vary"].lower():
        headers["vary"] = f"Origin, {headers['vary']}"
    return headers, headers.pop("content-type", None), tuple(cookies)


def is_preflight(scope: Scope) -> bool:
    """Whether a browser asks what it may send."""
    if scope["method"] != "OPTIONS":
        return False
    names = {name for name, _ in scope["headers"]}
    return b"origin" in names and b"access-control-request-method" in names


def raw_path(scope: Scope) -> str:
    """The path undecoded; a middleware may have changed the decoded one only."""
    raw: str = scope.get("raw_path", b"").decode("latin-1")
    path: str = scope["path"]
    return raw if unquote(raw) == path else quote(path)


async def request_from(scope: Scope, receive: Receive, original: Request) -> Request:
    """The request as the project's middleware has left it."""
    seen = StarletteRequest(scope, receive)
    query: dict[str, list[str]] = {}
    for name, value in seen.query_params.multi_items():
        query.setdefault(name, []).append(value)
    headers: dict[str, str] = {}
    for name, value in seen.headers.items():
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    body = await seen.body()
    if "content-length" in headers:
        headers["content-length"] = str(len(body))
    return Request(
        scope["method"],
        raw_path(scope),
        {},
        query,
        headers,
        body,
        original.engine,
        request_id=original.request_id,
        base_url=original.base_url,
        client=original.client,
        received_ms=original.received_ms,
        files=original.files,
        form=original.form,
    )


async def send_reply(reply: Reply, send: Send) -> None:
    """Send a whole answer."""
    headers = [(name.encode(), value.encode()) for name, value in reply.headers.items()]
    if reply.content_type is not None:
        headers.append((b"content-type", reply.content_type.encode()))
    headers.append((b"content-length", str(len(reply.body)).encode()))
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "http.response.body", "body": reply.body})


async def send_stream(stream: EventStream, send: Send) -> None:
    """Send a long answer, chunk by chunk; its source is closed however this ends."""
    headers = [(name.encode(), value.encode()) for name, value in stream.headers.items()]
    headers.append((b"content-type", stream.content_type.encode()))
    try:
        await send({"type": "http.response.start", "status": stream.status, "headers": headers})
        async for chunk in stream.chunks:
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})
    finally:
        close = getattr(stream.chunks, "aclose", None)
        if close is not None:
            await close()
