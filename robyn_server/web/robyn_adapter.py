"""Mounts a route table on Robyn. Here alone Robyn's requests become ours, and our answers Robyn's.

Handlers are registered raw, below Robyn's decorators: those scan signatures and run middleware at each request.
"""

import re
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote, unquote_plus

import uuid_utils
from robyn import StreamingResponse
from robyn.robyn import FunctionInfo, HttpMethod, Server
from robyn.robyn import Headers as RobynHeaders
from robyn.robyn import Request as RobynRequest
from robyn.robyn import Response as RobynResponse

from robyn_server.errors import Unavailable
from robyn_server.web.access_log import AccessLog
from robyn_server.web.cors import CorsPolicy
from robyn_server.web.dispatch import Dispatcher, Endpoint
from robyn_server.web.errors import answer_or_error, error_reply
from robyn_server.web.route_table import PARAMETER, RouteTable
from robyn_server.web.routing import EventStream, Headers, Reply, Request
from robyn_server.web.streaming import StreamHub

if TYPE_CHECKING:
    from robyn_server.web.asgi_mount import CustomApp

RobynHandler = Callable[[RobynRequest], Awaitable[RobynResponse | StreamingResponse]]

METHODS = {
    "GET": HttpMethod.GET,
    "HEAD": HttpMethod.HEAD,
    "POST": HttpMethod.POST,
    "PUT": HttpMethod.PUT,
    "PATCH": HttpMethod.PATCH,
    "DELETE": HttpMethod.DELETE,
    "OPTIONS": HttpMethod.OPTIONS,
    "TRACE": HttpMethod.TRACE,
    "CONNECT": HttpMethod.CONNECT,
}
NO_QUERY: Mapping[str, Sequence[str]] = {}
NO_PARAMETERS: Mapping[str, str] = {}
SANE_ID = re.compile(r"[!-~]{1,128}")
HEADER_SAFE = " !#$%&'()*+,/:;=?@[]~\""
TOO_MANY_STREAMS = Unavailable("Too many open streams")


class RobynAdapter:
    """Serves one application through Robyn."""

    def __init__(
        self, dispatcher: Dispatcher, hub: StreamHub, cors: CorsPolicy, log: AccessLog, max_streams: int
    ) -> None:
        self.requests_under_way = 0
        self._dispatcher = dispatcher
        self._hub = hub
        self._cors = cors
        self._log = log
        self._max_streams = max_streams

    def mount(self, server: Server, table: RouteTable) -> None:
        """Register every route, HEAD for GET, and what answers everything else."""
        for place in table.places:
            endpoint = Endpoint(place)
            path = _robyn_path(place.path)
            _register(server, place.route.method, path, self._serving(endpoint))
            if place.route.method == "GET":
                _register(server, "HEAD", path, self._serving(endpoint))
        taken = {(place.route.method, place.path) for place in table.places}
        for method in METHODS:
            handler = self._preflight if method == "OPTIONS" else self._unknown
            _register(server, method, "/*anything", handler)
            if (method, "/") not in taken and (method != "HEAD" or ("GET", "/") not in taken):
                _register(server, method, "/", handler)

    @staticmethod
    def mount_refusals(server: Server, table: RouteTable) -> None:
        """Register what is answered unread. Robyn asks for each reply once, on the loop, which must not be running."""
        for refusal in table.refusals:
            reply = refusal.reply
            headers = RobynHeaders({"content-type": reply.content_type or "", **reply.headers})
            answer = RobynResponse(reply.status, headers, reply.body)
            made = FunctionInfo(lambda answer=answer: answer, False, 0, {}, {})
            server.add_route(METHODS[refusal.method], _robyn_path(refusal.path), made, True)  # type: ignore[arg-type] # the stub says str

    def mount_custom(self, server: Server, custom: "CustomApp") -> None:
        """Hand every request to a project's own application, which has our routes inside."""

        async def serve(raw: RobynRequest) -> RobynResponse | StreamingResponse:
            started = time.perf_counter()
            request = _read(raw)
            exchange = custom.open(request, raw.ip_addr)
            self.requests_under_way += 1
            try:
                answer = await answer_or_error(custom.answer(exchange), request)
                if isinstance(answer, Reply):
                    return self._whole(answer, request, exchange.route_path, started)
                return await self._long(answer, request, exchange.route_path, started)
            finally:
                self.requests_under_way -= 1

        for method in METHODS:
            _register(server, method, "/*anything", serve)
            _register(server, method, "/", serve)

    def _serving(self, endpoint: Endpoint) -> RobynHandler:
        dispatch, path = self._dispatcher.dispatch, endpoint.path

        async def serve(raw: RobynRequest) -> RobynResponse | StreamingResponse:
            started = time.perf_counter()
            request = _read(raw)
            if endpoint.streams and len(self._hub) >= self._max_streams:
                return self._whole(error_reply(TOO_MANY_STREAMS), request, path, started)
            self.requests_under_way += 1
            try:
                answer = await answer_or_error(dispatch(endpoint, request), request)
                if isinstance(answer, Reply):
                    return self._whole(answer, request, path, started)
                endpoint.streams = True
                return await self._long(answer, request, path, started)
            finally:
                self.requests_under_way -= 1

        return serve

    async def _unknown(self, raw: RobynRequest) -> RobynResponse | StreamingResponse:
        started = time.perf_counter()
        request = _read(raw)
        answer = await answer_or_error(self._dispatcher.dispatch_unknown(request), request)
        if not isinstance(answer, Reply):
            raise TypeError("No stream was asked for")
        return self._whole(answer, request, "", started)

    async def _preflight(self, raw: RobynRequest) -> RobynResponse | StreamingResponse:
        origin = raw.headers.get("origin")
        method = raw.headers.get("access-control-request-method")
        if origin is None or method is None:
            return await self._unknown(raw)
        asked = raw.headers.get("access-control-request-headers")
        return self._whole(self._cors.preflight(origin, method, asked), _read(raw), "", time.perf_counter())

    def _headers(
        self, content_type: str | None, given: Headers, request: Request, cookies: tuple[str, ...]
    ) -> RobynHeaders:
        headers = {**self._cors.headers(request.headers.get("origin")), "x-request-id": request.request_id}
        if content_type is not None:
            headers["content-type"] = content_type
        if request.method == "OPTIONS" and self._cors.allow_private_network:
            headers["access-control-allow-private-network"] = "true"
        for name, value in given.items():
            # Robyn answers 500 for a value that cannot stand in a header.
            headers[name] = value if value.isascii() and value.isprintable() else quote(value, HEADER_SAFE)
        result = RobynHeaders(headers)
        for cookie in cookies:
            result.append("set-cookie", cookie)
        return result

    def _whole(self, reply: Reply, request: Request, route_path: str, started: float) -> RobynResponse:
        headers = self._headers(reply.content_type, reply.headers, request, reply.cookies)
        response = RobynResponse(reply.status, headers, reply.body)
        self._log.answered(request, route_path, reply.status, started)
        return response

    async def _long(
        self, stream: EventStream, request: Request, route_path: str, started: float
    ) -> RobynResponse | StreamingResponse:
        if request.method == "HEAD" or len(self._hub) >= self._max_streams:
            await _abandon(stream)
            if request.method != "HEAD":
                return self._whole(error_reply(TOO_MANY_STREAMS), request, route_path, started)
            reply = Reply(stream.status, b"", stream.content_type, stream.headers)
            return self._whole(reply, request, route_path, started)
        closed = self._log.opened(request, route_path, stream.status, started)
        body = self._hub.open(stream, request.request_id, closed)
        headers = self._headers(stream.content_type, stream.headers, request, stream.cookies)
        # The media type "text/event-stream" would make Robyn overwrite our content type.
        return StreamingResponse(body, stream.status, headers, media_type="")  # type: ignore[arg-type]


def _robyn_path(path: str) -> str:
    return PARAMETER.sub(lambda found: ("*" if found[2] else ":") + found[1], path)


def _register(server: Server, method: str, path: str, handler: RobynHandler) -> None:
    server.add_route(METHODS[method], path, FunctionInfo(handler, True, 1, {}, {}), False)  # type: ignore[arg-type] # the stub says str


async def _abandon(stream: EventStream) -> None:
    """Nobody will read it: as if its client had left at once."""
    close = getattr(stream.chunks, "aclose", None)
    if close is not None:
        await close()
    if stream.on_disconnect is not None:
        await stream.on_disconnect()


def _read(raw: RobynRequest) -> Request:
    """Robyn hands over query and path undecoded, and a body as text where it can be."""
    headers = raw.headers.to_dict()
    url = raw.url
    query: Mapping[str, Sequence[str]] = NO_QUERY
    if not raw.query_params.empty():
        query = {
            unquote_plus(name): [unquote_plus(value) for value in values]
            for name, values in raw.query_params.to_dict().items()
        }
    parameters: Mapping[str, str] = raw.path_params or NO_PARAMETERS
    for value in parameters.values():
        if "%" in value:
            parameters = {name: unquote(value) for name, value in parameters.items()}
            break
    body = raw.body
    request_id = headers.get("x-request-id")
    if request_id is None or SANE_ID.fullmatch(request_id) is None:
        request_id = str(uuid_utils.uuid4())
    scheme = "https" if headers.get("x-forwarded-proto") == "https" else "http"
    return Request(
        raw.method,
        url.path,
        parameters,
        query,
        headers,
        body if isinstance(body, bytes) else body.encode(),
        None,  # type: ignore[arg-type] # the dispatcher gives it before any handler runs
        request_id=request_id,
        base_url=f"{scheme}://{headers.get('host', 'localhost')}",
        client=raw.ip_addr or "",
        received_ms=time.time_ns() // 1_000_000,
        **_multipart(raw, headers),
    )


def _multipart(raw: RobynRequest, headers: Headers) -> dict[str, Any]:
    if not headers.get("content-type", "").startswith("multipart/"):
        return {}
    files = {name: bytes(content) for name, content in (raw.files or {}).items()}
    return {"files": files, "form": dict(raw.form_data or {})}
