"""The database's clock, as it goes on since it was read: servers whose own clocks differ must agree on what is over."""

import time
from datetime import datetime, timedelta

from robyn_server.storage.db import Transition
from robyn_server.storage.postgres_db import PostgresDb


class PostgresClock:
    """`read` must have been awaited before `now`."""

    def __init__(self, db: PostgresDb) -> None:
        self._db = db
        self._moment: datetime | None = None
        self._read_at = 0.0

    async def read(self) -> None:
        """Ask the database. Raises `Unavailable`; the time then goes on from the last answer."""
        self._moment = await self._db.glance(self._asked)
        # Rather behind the database than ahead, so that nothing is over too soon.
        self._read_at = time.monotonic()

    def now(self) -> datetime:
        """Aware, in UTC."""
        assert self._moment is not None, "the clock was never read"
        return self._moment + timedelta(seconds=time.monotonic() - self._read_at)

    def _asked(self) -> Transition[datetime]:
        rows = yield "SELECT clock_timestamp()", ()
        moment = self._db.dialect.read_moment(rows[0][0])
        assert moment is not None, "it is a function of the present"
        return moment
