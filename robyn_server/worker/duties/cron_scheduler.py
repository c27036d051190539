"""Fires crons that are due."""

import logging
import uuid
from dataclasses import replace
from datetime import datetime, timedelta

from robyn_server.engine import Engine
from robyn_server.errors import DomainError, Unavailable
from robyn_server.resources.caller import Caller
from robyn_server.resources.cron import Cron
from robyn_server.resources.schedule import next_firing

logger = logging.getLogger(__name__)


class CronScheduler:
    """One duty of the server. A cron that was due several times while nobody looked fires once."""

    name = "cron scheduler"

    def __init__(self, engine: Engine, every: timedelta = timedelta(seconds=5)) -> None:
        self.every = every
        self._engine = engine
        self._rows = engine.parts.storage.crons
        self._runs = engine.parts.storage.runs

    async def run_once(self, now: datetime) -> int:
        """Fire what is due; how many runs were made."""
        return sum([await self._fire(cron, now) for cron in await self._rows.due(now)])

    async def _fire(self, cron: Cron, now: datetime) -> bool:
        # The run comes first and its id follows from the time it was due: a crash between the two steps makes the
        # next tick find the run instead of losing or doubling it.
        run_id = str(uuid.uuid5(uuid.UUID(cron.cron_id), str(cron.next_run_at)))
        fired = False
        if await self._runs.get(run_id) is None:
            fired = await self._create_run(cron, run_id)
        await self._rows.fire(cron, _next(cron, now))
        return fired

    async def _create_run(self, cron: Cron, run_id: str) -> bool:
        engine = self._engine.acting_for(_caller(cron))
        contexts = engine.parts.storage.contexts
        if contexts is not None:
            await contexts.enter(engine.access.caller.encryption_context)
        try:
            await engine.runs.fire_cron(cron, run_id)
        except Unavailable:
            raise
        except DomainError as error:
            logger.warning("Cron could not fire: %s", error.message, extra={"cron_id": cron.cron_id})
            return False
        return True


def _caller(cron: Cron) -> Caller:
    """Who made the cron. Its runs always see a user object, an anonymous one if need be."""
    caller = Caller.from_json(cron.caller)
    if caller.user is not None:
        return caller
    user = {"identity": caller.identity, "display_name": caller.display_name, "is_authenticated": True}
    return replace(caller, user=user)


def _next(cron: Cron, now: datetime) -> datetime | None:
    try:
        return next_firing(cron.schedule, cron.timezone, now)
    except DomainError:
        return None
