"""One thing that happened in a run, and where it stands in its thread's log."""

from dataclasses import dataclass, field
from typing import NamedTuple


class EventId(NamedTuple):
    """A place in a thread's event log, `<ms>-<seq>` on the wire; ids of one thread only ever grow."""

    ms: int
    seq: int

    def __str__(self) -> str:
        return f"{self.ms}-{self.seq}"

    @classmethod
    def parse(cls, text: str) -> "EventId | None":
        """The id that `text` spells, None if it spells none."""
        ms, dash, seq = text.partition("-")
        if not (dash and ms.isascii() and ms.isdigit() and seq.isascii() and seq.isdigit()):
            return None
        if len(ms) > 18 or len(seq) > 18:
            return None
        return cls(int(ms), int(seq))


START = EventId(0, 0)
"""Before everything."""

END_OF_RUN = ""
"""The `event` of the entry that closes a run in the log. It never goes on the wire."""


@dataclass(slots=True, eq=False)
class RunEvent:
    """An entry of the log: `event` is the SSE event name, `data` its JSON, encoded once for all readers.

    `resumable` says whether the run was created with `stream_resumable`: only then do its frames carry ids on the
    run's stream and may be replayed. Not frozen only because it caches its two frames.
    """

    id: EventId
    run_id: str
    attempt: int
    event: str
    data: bytes
    resumable: bool = False
    plain_frame: bytes | None = field(default=None, repr=False)
    """Cache of `wire.sse.frame`, without the id line."""
    id_frame: bytes | None = field(default=None, repr=False)
    """The same with it."""
