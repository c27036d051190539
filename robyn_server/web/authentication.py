"""Headers to a caller. Public routes and CORS preflights are never asked; unknown paths are, before their 404."""

from dataclasses import dataclass, replace

from robyn_server.auth.interfaces import Authenticator, Credentials
from robyn_server.auth.tickets import StreamTickets
from robyn_server.resources.caller import Caller
from robyn_server.resources.clock import now
from robyn_server.web.routing import Request


@dataclass(frozen=True, slots=True)
class QueryCredentials:
    """What the query of a stream may bring for clients that cannot send headers: `?ticket=`, and `?access_token=`
    where the operator allows it."""

    tickets: StreamTickets
    token_allowed: bool = False


async def caller_of(request: Request, authenticator: Authenticator) -> Caller:
    """Who sent this request. Raises `Unauthenticated`, `Forbidden` or what else the authenticator says."""
    return await authenticator.authenticate(_credentials(request))


async def caller_of_stream(
    request: Request, authenticator: Authenticator, resource: str, allowed: QueryCredentials
) -> Caller:
    """The same for a route that takes tickets for `resource`, e.g. `thread:{thread_id}`. What the headers say comes
    first."""
    if "authorization" not in request.headers and "x-api-key" not in request.headers:
        ticket = request.query_value("ticket")
        if ticket is not None:
            return allowed.tickets.redeem(ticket, resource.format_map(request.path_params), now())
        token = request.query_value("access_token")
        if token is not None and allowed.token_allowed:
            headers = {**request.headers, "authorization": f"Bearer {token}"}
            return await authenticator.authenticate(replace(_credentials(request), headers=headers))
    return await caller_of(request, authenticator)


def _credentials(request: Request) -> Credentials:
    return Credentials(
        request.method, request.path, request.path_params, request.query, request.headers, request.body
    )
