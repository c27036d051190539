"""Counters of one process."""

import time


class InProcessCounters:
    """See `interfaces.Counters`."""

    def __init__(self) -> None:
        self._counts: dict[str, tuple[int, float]] = {}
        """How many, and until when that is kept."""
        self._tidy_at = 0.0

    async def add(self, key: str, keep_seconds: int) -> int:
        """See `interfaces.Counters`."""
        now = time.monotonic()
        if now >= self._tidy_at:
            self._counts = {name: one for name, one in self._counts.items() if one[1] > now}
            self._tidy_at = now + keep_seconds
        count, until = self._counts.get(key, (0, 0.0))
        count = count + 1 if until > now else 1
        self._counts[key] = (count, now + keep_seconds)
        return count

    async def close(self) -> None:
        """See `interfaces.Counters`."""
