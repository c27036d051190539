"""What a reader of the thread protocol wants to see: channels, namespaces, depth, and from which number on."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from robyn_server.errors import InvalidRequest
from robyn_server.resources.types import Json

CHANNELS = frozenset(
    {"values", "updates", "messages", "tools", "custom", "lifecycle", "input", "tasks", "checkpoints"}
)
NONE_GIVEN = "channels is required and must be a non-empty array"
NOT_SUPPORTED = (
    "channels contains unsupported entries: {}. Allowed: values, updates, messages, tools, custom, lifecycle, input, "
    "tasks, or any `custom:<name>`."
)
NAMED = "custom:"


@dataclass(frozen=True, slots=True)
class Subscription:
    """`namespaces` None: all of them. `since`: events up to this number are known to the reader."""

    channels: frozenset[str]
    namespaces: tuple[tuple[str, ...], ...] | None = None
    depth: int | None = None
    since: int = 0

    def wants(self, channels: Collection[str], namespace: Sequence[str]) -> bool:
        """Whether an event that is seen on any of `channels` is to be shown."""
        if self.channels.isdisjoint(channels):
            return False
        return self.namespaces is None or any(self._under(prefix, namespace) for prefix in self.namespaces)

    def _under(self, prefix: tuple[str, ...], namespace: Sequence[str]) -> bool:
        below = len(namespace) - len(prefix)
        if below < 0 or (self.depth is not None and below > self.depth):
            return False
        return all(_is_segment(asked, segment) for asked, segment in zip(prefix, namespace, strict=False))


def _is_segment(asked: str, segment: str) -> bool:
    """`child` stands for the node under any task id, `child:<id>` for that task."""
    return asked == segment or (":" not in asked and segment.partition(":")[0] == asked)


def is_channel(name: Json) -> bool:
    """Whether a channel of this name can be asked for."""
    return isinstance(name, str) and (name in CHANNELS or (name.startswith(NAMED) and len(name) > len(NAMED)))


def read_subscription(body: Json) -> Subscription:
    """The body of an event stream request. Raises `InvalidRequest` for its channels; what else makes no sense in it is
    ignored, as on the reference."""
    channels = body.get("channels") if isinstance(body, dict) else None
    if not isinstance(channels, list) or not channels:
        raise InvalidRequest(NONE_GIVEN)
    wrong = [str(name) for name in channels if not is_channel(name)]
    if wrong:
        raise InvalidRequest(NOT_SUPPORTED.format(", ".join(wrong)))
    depth, since = _count(body.get("depth")), _count(body.get("since"))
    return Subscription(frozenset(channels), _namespaces(body.get("namespaces")), depth, since or 0)


def _namespaces(given: Json) -> tuple[tuple[str, ...], ...] | None:
    if not isinstance(given, list) or not given:
        return None
    if not all(isinstance(one, list) and all(isinstance(part, str) for part in one) for one in given):
        return None
    return tuple(tuple(one) for one in given)


def _count(given: Json) -> int | None:
    return given if type(given) is int and given >= 0 else None
