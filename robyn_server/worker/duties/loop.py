"""The one loop that drives every duty."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from robyn_server.resources.clock import now

logger = logging.getLogger(__name__)


class Duty(Protocol):
    """Something to be done again and again; doing it twice, or beside others, does no harm."""

    name: str
    every: timedelta

    async def run_once(self, now: datetime) -> int:
        """Do what is due; how many things were done."""


@dataclass(slots=True)
class _Driven:
    duty: Duty
    task: asyncio.Task[None]


class DutyLoop:
    """Drives duties until stopped; one that fails is logged and tried again at its next turn."""

    def __init__(self, duties: Sequence[Duty], clock: Callable[[], datetime] = now) -> None:
        self._duties = duties
        self._clock = clock
        self._driven: list[_Driven] = []

    def start(self) -> None:
        """Begin."""
        self._driven = [
            _Driven(duty, asyncio.create_task(self._drive(duty), name=duty.name)) for duty in self._duties
        ]

    async def stop(self) -> None:
        """Stop, in the middle if need be: duties are safe to cut off."""
        for driven in self._driven:
            driven.task.cancel()
        await asyncio.gather(*(driven.task for driven in self._driven), return_exceptions=True)

    async def _drive(self, duty: Duty) -> None:
        while True:
            try:
                await duty.run_once(self._clock())
            except Exception:
                logger.exception("Duty failed", extra={"duty": duty.name})
            await asyncio.sleep(duty.every.total_seconds())
