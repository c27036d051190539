"""A small memory of what was found out a moment ago."""

from collections import OrderedDict
from typing import Generic, TypeVar

Value = TypeVar("Value")


class Recent(Generic[Value]):
    """At most `most` values, each good until its own time; the oldest goes first."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._kept: OrderedDict[bytes, tuple[Value, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, key: bytes, now: float) -> Value | None:
        """The value, None when there is none or its time is over."""
        kept = self._kept.get(key)
        if kept is None:
            return None
        value, until = kept
        if now >= until:
            del self._kept[key]
            return None
        return value

    def put(self, key: bytes, value: Value, until: float) -> None:
        """Keep `value` until the moment `until`, in the clock that `get` is asked with."""
        self._kept[key] = (value, until)
        self._kept.move_to_end(key)
        while len(self._kept) > self._most:
            self._kept.popitem(last=False)
