"""How many entries of a run's attempt there are: what lets a batch that was sent twice be taken once."""

MOST_RUNS = 20_000


class EntryCounts:
    """By thread, run and attempt. Of runs whose end was never counted the oldest are forgotten."""

    def __init__(self) -> None:
        self._counts: dict[tuple[str, str, int], int] = {}

    def get(self, run: tuple[str, str, int]) -> int | None:
        """None: nothing known of that attempt."""
        return self._counts.get(run)

    def set(self, run: tuple[str, str, int], count: int, *, ended: bool) -> None:
        """Remember, or with the closing entry forget."""
        if ended:
            self._counts.pop(run, None)
            return
        self._counts[run] = count
        if len(self._counts) > MOST_RUNS:
            del self._counts[next(iter(self._counts))]
