"""A stream ticket: one caller, one resource, five minutes."""

import uuid
from datetime import timedelta

import pytest

from robyn_server.auth.sealing import STREAM_TICKETS, Sealer
from robyn_server.auth.tickets import LIFETIME, StreamTickets
from robyn_server.errors import Unauthenticated
from robyn_server.resources.caller import Caller
from robyn_server.resources.clock import now

ANN = Caller("ann", "Ann", ("authenticated",), {"identity": "ann"}, token="jwt")
THREAD = uuid.UUID(int=7)
TICKETS = StreamTickets(Sealer(b"key", STREAM_TICKETS))


def test_it_is_good_until_its_time_is_over_and_carries_no_token():
    at = now()
    ticket = TICKETS.issue(ANN, f"thread:{THREAD}", at)
    caller = TICKETS.redeem(ticket, f"thread:{THREAD.hex}", at + LIFETIME - timedelta(seconds=1))
    assert (caller.identity, caller.user, caller.token) == ("ann", {"identity": "ann"}, None)
    with pytest.raises(Unauthenticated):
        TICKETS.redeem(ticket, f"thread:{THREAD}", at + LIFETIME)
    longer = TICKETS.issue(ANN, f"thread:{THREAD}", at, 2 * LIFETIME)
    assert TICKETS.redeem(longer, f"thread:{THREAD}", at + LIFETIME).identity == "ann"


@pytest.mark.parametrize("purpose", [b"robyn_server run secrets", b"another"])
def test_what_was_sealed_for_something_else_is_no_ticket(purpose):
    ticket = StreamTickets(Sealer(b"key", purpose)).issue(ANN, f"thread:{THREAD}", now())
    with pytest.raises(Unauthenticated):
        TICKETS.redeem(ticket, f"thread:{THREAD}", now())


def test_it_is_for_one_resource():
    ticket = TICKETS.issue(ANN, f"agent-run:{THREAD}/1", now())
    assert TICKETS.redeem(ticket, f"agent-run:{THREAD.hex}/1", now()).identity == "ann"
    for other in (f"agent-run:{THREAD}/2", f"agent-run:{THREAD}", f"thread:{THREAD}/1"):
        with pytest.raises(Unauthenticated):
            TICKETS.redeem(ticket, other, now())
