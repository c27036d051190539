"""A project's own application (`http.app`) around our routes: its middleware wraps all, its routes come before ours."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import orjson
from starlette.applications import Starlette
from starlette.authentication import AuthCredentials
from starlette.exceptions import HTTPException
from starlette.requests import Request as StarletteRequest
from starlette.responses import JSONResponse
from starlette.responses import Response as StarletteResponse
from starlette.routing import BaseRoute, Match, NoMatchFound
from starlette.routing import Route as StarletteRoute

from robyn_server.errors import DomainError, StartupError
from robyn_server.resources.caller import Caller
from robyn_server.resources.types import JsonObject
from robyn_server.resources.user import User
from robyn_server.web.asgi_exchange import KEY, Exchange
from robyn_server.web.asgi_lifespan import Lifespan
from robyn_server.web.asgi_messages import (
    AsgiApp,
    Receive,
    Scope,
    Send,
    is_preflight,
    raw_path,
    request_from,
    send_reply,
    send_stream,
)
from robyn_server.web.cors import CorsPolicy
from robyn_server.web.dispatch import Dispatcher, Endpoint
from robyn_server.web.errors import answer_or_error, error_reply
from robyn_server.web.http_section import HttpSection
from robyn_server.web.route_table import Placed, RouteTable
from robyn_server.web.routing import Answer, EventStream, Reply, Request

ALWAYS_OURS = frozenset({"/ok", "/metrics", "/docs", "/openapi.json"})
"""No route of the project takes these."""

TASKS_MAY_TAKE = 1.0
"""Seconds, at shutdown, for what applications do after their answer."""

Authenticate = Callable[[Request], Awaitable[Caller]]


class CustomApp:
    """A Starlette or FastAPI application with our routes inside. Raises `StartupError`, which names `place`, for
    anything else."""

    def __init__(self, found: object, section: HttpSection, place: str) -> None:
        if not isinstance(found, Starlette):
            raise StartupError(
                f"http.app of {place} must name a Starlette or FastAPI application, not {type(found).__name__}."
            )
        self._app = found
        self._section = section
        self._own = tuple(found.router.routes)
        self._asks_handlers = _has_own_handlers(found)
        handlers: dict[Any, Any] = found.exception_handlers
        handlers.setdefault(HTTPException, _http_error)
        handlers.setdefault(ValueError, _value_error)
        self._lifespan = Lifespan(found)
        self._tasks: set[asyncio.Task[None]] = set()
        self._inner: _Inner | None = None
        self._prefix = ""

    def document(self) -> JsonObject:
        """The project's own routes as an OpenAPI document, which for plain Starlette knows paths and methods only."""
        describe = getattr(self._app, "openapi", None)
        if callable(describe):
            described: JsonObject = describe()
            return described
        paths: JsonObject = {}
        for route in self._own:
            if isinstance(route, StarletteRoute) and route.include_in_schema:
                methods = sorted((route.methods or set()) - {"HEAD"})
                paths.setdefault(route.path_format, {}).update({method.lower(): {} for method in methods})
        return {"paths": paths}

    async def start(self) -> None:
        """Run the application's lifespan. Raises `StartupError`."""
        await self._lifespan.start()

    async def stop(self) -> None:
        """Let go of what the application holds."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=TASKS_MAY_TAKE)
        await self._lifespan.stop()

    def surround(self, dispatcher: Dispatcher, table: RouteTable, cors: CorsPolicy, prefix: str = "") -> None:
        """Put our routes into the application; once."""
        self._prefix = prefix
        self._inner = inner = _Inner(dispatcher, table, cors, asks_handlers=self._asks_handlers)
        guarded = self._section.custom_routes_need_caller
        own = [_Guarded(route, inner.authenticate) for route in self._own] if guarded else list(self._own)
        first, last = _Ours(inner, inner.comes_first), _Ours(inner, lambda _: True)
        self._app.router.routes[:] = [first, *own, last]

    def open(self, request: Request, client: str | None) -> Exchange:
        """The request, ready to be answered."""
        below = request.path == self._prefix or request.path.startswith(f"{self._prefix}/")
        root_path = self._prefix if below else ""
        return Exchange(request, client, root_path, self._lifespan.state)

    async def answer(self, exchange: Exchange) -> Answer:
        """What the application says. Raises `DomainError` for what does not get as far."""
        inner = self._inner
        assert inner is not None
        inner.dispatcher.check(exchange.request)
        if self._section.auth_first and self._needs_caller(exchange.scope):
            exchange.caller = await inner.authenticate(exchange.request)
            _show_caller(exchange.scope, exchange.caller)
        outside = self._prefix and not exchange.scope["root_path"]
        app: AsgiApp = inner if outside else self._app
        return await exchange.through(app, self._tasks)

    def _needs_caller(self, scope: Scope) -> bool:
        assert self._inner is not None
        if not self._inner.comes_first(scope) and _takes(self._own, scope):
            return self._section.custom_routes_need_caller
        found = self._inner.find(scope)
        return found is None or not found.route.public


class _Inner:
    """Our routes as an ASGI application."""

    def __init__(
        self, dispatcher: Dispatcher, table: RouteTable, cors: CorsPolicy, *, asks_handlers: bool
    ) -> None:
        self.dispatcher = dispatcher
        self._table = table
        self._cors = cors
        self._asks_handlers = asks_handlers
        self._endpoints = {(place.route.method, place.path): Endpoint(place) for place in table.places}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.serve(scope, receive, send, inside=False)

    async def serve(self, scope: Scope, receive: Receive, send: Send, *, inside: bool) -> None:
        """Answer; `inside` the project's application its error handlers may have the last word."""
        exchange: Exchange = scope[KEY]
        request = await request_from(scope, receive, exchange.request)
        answer = await self._answer(scope, request, exchange)
        exchange.request.caller = request.caller
        if isinstance(answer, EventStream):
            exchange.heartbeat, exchange.on_disconnect = answer.heartbeat, answer.on_disconnect
            await send_stream(answer, send)
        elif inside and self._asks_handlers and answer.status >= 400:
            raise HTTPException(answer.status, _detail(answer), dict(answer.headers))
        else:
            await send_reply(answer, send)

    def comes_first(self, scope: Scope) -> bool:
        """Whether no route of the project may take the request."""
        if is_preflight(scope):
            return True
        found = self.find(scope)
        return found is not None and found.route.path in ALWAYS_OURS

    def find(self, scope: Scope) -> Placed | None:
        """Our route for the request, if there is one."""
        found = self._table.find(scope["method"], raw_path(scope))
        return found[0] if found else None

    async def authenticate(self, request: Request) -> Caller:
        """Raises `DomainError` for a stranger."""
        return await self.dispatcher.authenticate(request)

    async def _answer(self, scope: Scope, request: Request, exchange: Exchange) -> Answer:
        if is_preflight(scope):
            asked = request.headers.get("access-control-request-headers")
            method = request.headers["access-control-request-method"]
            return self._cors.preflight(request.headers["origin"], method, asked)
        found = self._table.find(request.method, request.path)
        if found is None:
            return await answer_or_error(self.dispatcher.dispatch_unknown(request, exchange.caller), request)
        place, request.path_params = found
        endpoint = self._endpoints[place.route.method, place.path]
        exchange.route_path = endpoint.path
        return await answer_or_error(self.dispatcher.dispatch(endpoint, request, exchange.caller), request)


class _Ours(BaseRoute):
    """Our routes as one route of the project's application, which takes whatever gets here and `when` allows."""

    def __init__(self, inner: _Inner, when: Callable[[Scope], bool]) -> None:
        self._inner = inner
        self._when = when

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        takes = scope["type"] == "http" and self._when(scope)
        return (Match.FULL if takes else Match.NONE), {}

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._inner.serve(scope, receive, send, inside=True)

    def url_path_for(self, name: str, /, **path_params: Any) -> Any:
        raise NoMatchFound(name, path_params)


class _Guarded(BaseRoute):
    """A route of the project that is not for strangers."""

    def __init__(self, route: BaseRoute, authenticate: Authenticate) -> None:
        self._route = route
        self._authenticate = authenticate

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        return self._route.matches(scope)

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange: Exchange = scope[KEY]
        if exchange.caller is None:
            try:
                exchange.caller = await self._authenticate(exchange.request)
            except DomainError as error:
                await send_reply(error_reply(error), send)
                return
        _show_caller(scope, exchange.caller)
        await self._route.handle(scope, receive, send)

    def url_path_for(self, name: str, /, **path_params: Any) -> Any:
        return self._route.url_path_for(name, **path_params)


def _takes(routes: tuple[BaseRoute, ...], scope: Scope) -> bool:
    return any(route.matches(scope)[0] is Match.FULL for route in routes)


def _show_caller(scope: Scope, caller: Caller) -> None:
    """What Starlette's own authentication would have left: `request.user` and `request.auth`."""
    scope["user"] = User(caller.user or {"identity": caller.identity, "is_authenticated": True})
    scope["auth"] = AuthCredentials(list(caller.permissions))


def _has_own_handlers(app: Starlette) -> bool:
    """Whether the project wants to say itself how an HTTP error looks."""
    return any(
        (isinstance(kind, int) or kind is HTTPException)
        and getattr(handler, "__module__", "") != "fastapi.exception_handlers"
        for kind, handler in app.exception_handlers.items()
    )


def _detail(reply: Reply) -> Any:
    try:
        return orjson.loads(reply.body)["detail"]
    except (ValueError, KeyError, TypeError):
        return reply.body.decode(errors="replace")


def _http_error(_: StarletteRequest, error: Exception) -> StarletteResponse:
    assert isinstance(error, HTTPException)
    if error.status_code in (204, 304):
        return StarletteResponse(status_code=error.status_code, headers=error.headers)
    return JSONResponse({"detail": error.detail}, error.status_code, error.headers)


def _value_error(_: StarletteRequest, error: Exception) -> StarletteResponse:
    return JSONResponse({"detail": str(error)}, 400)
