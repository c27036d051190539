"""One request from its arrival to its answer, in order: limits, caller, body, handler. Knows nothing of Robyn."""

from robyn_server.errors import InvalidRequest, NotFound, TooLarge, Unavailable
from robyn_server.resources.request_facts import RequestFacts
from robyn_server.web.application import Application
from robyn_server.web.authentication import caller_of
from robyn_server.web.route_table import Placed, RouteTable
from robyn_server.web.routing import Answer, Reply, Request, Route
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
        self._table = table
        self._max_body_bytes = max_body_bytes

    async def dispatch(self, endpoint: Endpoint, request: Request) -> Answer:
        """The handler's answer. Raises whatever is wrong with the request."""
        self._check_body(request)
        if not endpoint.route.public:
            request.caller = await caller_of(request, self._auth)
        request.engine = self.engine.acting_for(
            request.caller,
            RequestFacts(request.request_id, request.received_ms, request.headers, request.base_url),
        )
        if endpoint.validator is not None:
            check(endpoint.validator, request.json())
        return await endpoint.route.handler(request)

    async def dispatch_unknown(self, request: Request) -> Answer:
        """The answer where no route is: 401 to strangers, then 405 or 404."""
        self._check_body(request)
        request.caller = await caller_of(request, self._auth)
        allowed = self._table.allowed_methods(request.path)
        if allowed is None:
            raise NotFound
        return Reply.json({"detail": "Method Not Allowed"}, 405, {"allow": allowed})

    def _check_body(self, request: Request) -> None:
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
