"""One request from its arrival to its answer, in order: limits, caller, body, handler. Knows nothing of Robyn."""

from dataclasses import replace

from robyn_server.errors import InvalidRequest, NotFound, TooLarge, Unavailable
from robyn_server.resources.caller import Caller
from robyn_server.resources.request_facts import RequestFacts
from robyn_server.web.application import Application
from robyn_server.web.authentication import caller_of, caller_of_stream
from robyn_server.web.rate_limit import FREE
from robyn_server.web.route_table import Placed, RouteTable
from robyn_server.web.routing import Answer, Headers, Reply, Request, Route
from robyn_server.web.validation import Validator, check, compile_schema


class Endpoint:
    """A route made ready. `streams` is learned: whether it has answered with a stream before."""

    __slots__ = ("path", "route", "streams", "validator")

    def __init__(self, place: Placed) -> None:
        self.route: Route = place.route
        self.path = place.path
        self.streams = False
        self.validator: Validator | None = None
        if place.route.body is not None:
            self.validator = compile_schema(place.route.body, place.surface.schemas)


class Dispatcher:
    """Takes every request. While `draining` it refuses them all, so that load balancers go elsewhere."""

    def __init__(self, application: Application, table: RouteTable, max_body_bytes: int) -> None:
        self.engine = application.engine
        self.draining = False
        self._auth = application.auth
        self._query_credentials = application.query_credentials
        self._rate_limit = application.rate_limit
        self._table = table
        self._max_body_bytes = max_body_bytes

    async def authenticate(self, request: Request) -> Caller:
        """Who sent it. Raises `DomainError` for a stranger."""
        return await caller_of(request, self._auth)

    async def dispatch(self, endpoint: Endpoint, request: Request, caller: Caller | None = None) -> Answer:
        """The handler's answer; `caller` when it is known already. Raises whatever is wrong with the request."""
        self.check(request)
        if caller is not None:
            request.caller = caller
        elif not endpoint.route.public:
            request.caller = await self._caller_on(endpoint.route, request)
        if not endpoint.route.public:
            request.caller = await self.engine.admitted(request.caller, request.headers)
        spent: Headers = {}
        if self._rate_limit is not None and endpoint.route.path not in FREE:
            spent = await self._rate_limit.spend(request)
        request.engine = self.engine.acting_for(
            request.caller,
            RequestFacts(request.request_id, request.received_ms, request.headers, request.base_url),
        )
        if endpoint.route.before_body is not None:
            endpoint.route.before_body(request)
        if endpoint.validator is not None:
            check(endpoint.validator, request.json())
        answer = await endpoint.route.handler(request)
        return replace(answer, headers={**answer.headers, **spent}) if spent else answer

    async def _caller_on(self, route: Route, request: Request) -> Caller:
        if route.ticket is not None and self._query_credentials is not None:
            return await caller_of_stream(request, self._auth, route.ticket, self._query_credentials)
        return await caller_of(request, self._auth)

    async def dispatch_unknown(self, request: Request, caller: Caller | None = None) -> Answer:
        """The answer where no route is: 401 to strangers, then 405 or 404."""
        self.check(request)
        request.caller = caller or await caller_of(request, self._auth)
        allowed = self._table.allowed_methods(request.path)
        if allowed is None:
            raise NotFound
        return Reply.json({"detail": "Method Not Allowed"}, 405, {"allow": allowed})

    def check(self, request: Request) -> None:
        """Raises `Unavailable` while the server stops, and `DomainError` for a body that is too long or cut off."""
        if self.draining:
            raise Unavailable("The server is shutting down")
        announced = request.headers.get("content-length")
        size = len(request.body)
        if announced is None and not size:
            return
        length = int(announced) if announced is not None and announced.isdecimal() else size
        if max(length, size) > self._max_body_bytes:
            raise TooLarge(f"Request body too large (limit: {self._max_body_bytes} bytes)")
        # Robyn runs the handler with what came before the connection broke. It joins the parts of a multipart
        # body anew, so that the length of one says nothing.
        if length != size and not request.headers.get("content-type", "").startswith("multipart/"):
            raise InvalidRequest("The request body is shorter than its Content-Length")
