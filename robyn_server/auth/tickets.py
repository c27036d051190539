"""Tickets for streams: browsers' `EventSource` cannot send a header, and a token does not belong in an address.

A ticket stands for one caller on one resource for a short time. It is sealed: nobody can read, change or make one.
"""

import base64
import binascii
from datetime import datetime, timedelta

import orjson

from robyn_server.auth.sealing import CannotOpen, Sealer
from robyn_server.errors import Unauthenticated
from robyn_server.resources.caller import Caller
from robyn_server.resources.ids import canonical_id

LIFETIME = timedelta(seconds=300)
COLLECTIONS = "collections:read"
"""The resource that a run may read for its caller: the collections, and what a search in them finds."""
BAD_TICKET = "Authentication error: the ticket is not valid here or its time is over"


class StreamTickets:
    """`sealer` is one made for `STREAM_TICKETS`."""

    def __init__(self, sealer: Sealer) -> None:
        self._sealer = sealer

    def issue(self, caller: Caller, resource: str, now: datetime, lifetime: timedelta = LIFETIME) -> str:
        """A ticket for `resource`, e.g. `thread:<id>`. Whether the caller may see it is asked when it is used."""
        said = {
            "caller": caller.to_json(),
            "resource": canonical_resource(resource),
            "until": (now + lifetime).timestamp(),
        }
        return base64.urlsafe_b64encode(self._sealer.seal(orjson.dumps(said))).rstrip(b"=").decode()

    def redeem(self, ticket: str, resource: str, now: datetime) -> Caller:
        """Whose ticket it is. Raises `Unauthenticated`."""
        try:
            sealed = base64.b64decode(ticket + "=" * (-len(ticket) % 4), altchars=b"-_", validate=True)
            said = orjson.loads(self._sealer.open(sealed))
        except (ValueError, binascii.Error, CannotOpen) as error:
            raise Unauthenticated(BAD_TICKET) from error
        if said["resource"] != canonical_resource(resource) or said["until"] <= now.timestamp():
            raise Unauthenticated(BAD_TICKET)
        return Caller.from_json(said["caller"])


def canonical_resource(resource: str) -> str:
    """`kind:id[/id...]` with ids in their canonical form: one thing has one name."""
    kind, _, ids = resource.partition(":")
    return f"{kind}:{'/'.join(canonical_id(part) or part for part in ids.split('/'))}"
