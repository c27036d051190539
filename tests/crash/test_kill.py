"""kill -9 while runs stream: of the server process, and of its supervisor."""

import random
from collections.abc import Callable
from functools import partial

import pytest

from tests.crash.scenes import streams_survive
from tests.server_process import ServerProcess

Factory = Callable[..., ServerProcess]


def strike(server: ServerProcess, victim: str) -> None:
    """kill -9 one of the two processes, and see to it that the server comes back."""
    if victim == "server":
        server.kill_server()
    else:
        server.kill_supervisor()
        server.start()


@pytest.mark.parametrize("victim", ["server", "supervisor"])
async def test_streams_survive_a_kill(server_factory: Factory, victim: str) -> None:
    server = server_factory().start()
    await streams_survive(server, partial(strike, server, victim))
    server.stop()


@pytest.mark.soak
@pytest.mark.parametrize("victim", ["server", "supervisor"])
async def test_streams_survive_many_kills(server_factory: Factory, victim: str, rounds: int) -> None:
    server = server_factory().start()
    chance = random.Random(rounds)
    for _ in range(rounds):
        await streams_survive(server, partial(strike, server, victim), chance=chance)
    server.stop()
