"""`POST /auth/stream-ticket`."""

from dataclasses import dataclass

from robyn_server.auth.tickets import LIFETIME, StreamTickets
from robyn_server.resources.clock import now
from robyn_server.web.routing import Reply, Request, Route, Surface

SCHEMAS = {
    "StreamTicketCreate": {
        "type": "object",
        "title": "StreamTicketCreate",
        "properties": {
            "resource": {
                "type": "string",
                "pattern": "^[a-z][a-z-]*:[^\\s?#]{1,200}$",
                "description": "What it opens, e.g. thread:<thread_id>: the streams of a thread and of its runs.",
            }
        },
        "required": ["resource"],
        "additionalProperties": False,
    },
    "StreamTicket": {
        "type": "object",
        "title": "StreamTicket",
        "properties": {"ticket": {"type": "string"}, "expires_in": {"type": "integer"}},
        "required": ["ticket", "expires_in"],
    },
}


@dataclass(frozen=True, slots=True)
class SignIn:
    """The handlers, and what they hand out."""

    tickets: StreamTickets

    def surface(self) -> Surface:
        """The routes."""
        route = Route(
            "POST",
            "/auth/stream-ticket",
            self.create_ticket,
            "StreamTicketCreate",
            summary="Create Stream Ticket",
            tags=("Sign In",),
            returns="StreamTicket",
            status=201,
        )
        return Surface("sign_in", (route,), SCHEMAS)

    async def create_ticket(self, request: Request) -> Reply:
        """A ticket for the caller."""
        ticket = self.tickets.issue(request.caller, request.json()["resource"], now())
        answer = {"ticket": ticket, "expires_in": int(LIFETIME.total_seconds())}
        return Reply.json(answer, 201, {"cache-control": "no-store"})
