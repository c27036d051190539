"""Headers to a caller. Public routes and CORS preflights are never asked; unknown paths are, before their 404."""

from robyn_server.auth.interfaces import Authenticator, Credentials
from robyn_server.resources.caller import Caller
from robyn_server.web.routing import Request


async def caller_of(request: Request, authenticator: Authenticator) -> Caller:
    """Who sent this request. Raises `Unauthenticated`, `Forbidden` or what else the authenticator says."""
    return await authenticator.authenticate(
        Credentials(
            request.method, request.path, request.path_params, request.query, request.headers, request.body
        )
    )
