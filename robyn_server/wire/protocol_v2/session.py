"""One reader of a thread: entries of the thread's log in, numbered protocol events out. No I/O, no clock.

    session = ProtocolSession(read_subscription(body))
    for entry in batch:
        if session.asks_for_facts(entry):
            session.learn(entry.run_id, facts)      # what the run's row says
        chunk = session.feed(entry)                 # SSE bytes

Numbers count every event of the thread, shown or not, so that readers with the same history agree on them.
"""

from collections.abc import Collection, Sequence
from dataclasses import replace

import orjson

from robyn_server.resources.event import END_OF_RUN, RunEvent
from robyn_server.resources.protocol_event import is_protocol_event, renumbered
from robyn_server.resources.types import Json, JsonObject
from robyn_server.wire.protocol_v2.channels import NAMED, Subscription
from robyn_server.wire.protocol_v2.messages import INTERRUPT, told_state, tool_answer
from robyn_server.wire.protocol_v2.run_story import (
    GONE,
    Namespace,
    RunFacts,
    RunStory,
    graph_name,
    lifecycle_data,
)
from robyn_server.wire.sse import frame_of

ROOT: Namespace = ()
TERMINAL = frozenset({"completed", "failed", "interrupted", "drained"})
SEPARATOR = "\ufffd"
"""Between the segments of a namespace in the id of a made-up event."""


class ProtocolSession:
    """See the module's text. `active` are the runs that go on while the history is told: then the endings and questions
    of older runs are counted and not shown, as clients would take them for those of the run they wait for."""

    def __init__(self, subscription: Subscription, active: Collection[str] = ()) -> None:
        self._subscription = subscription
        self._active = frozenset(active)
        self._runs: dict[str, RunStory] = {}
        self._over: set[str] = set()
        self._seq = 0
        self._live = False
        self._out: list[bytes] = []

    def asks_for_facts(self, entry: RunEvent) -> bool:
        """Whether `learn` must be called before this entry is fed: a run's first entry, and its last."""
        if not entry.run_id or entry.run_id in self._over:
            return False
        return entry.event == END_OF_RUN or entry.run_id not in self._runs

    def learn(self, run_id: str, facts: RunFacts | None) -> None:
        """What the run's row says now, None when there is none."""
        story = self._runs.get(run_id)
        if story is None:
            # Of a run that was rolled back nothing is shown afterwards; it still counts.
            self._runs[run_id] = RunStory(run_id, facts or GONE, hidden=facts is None and not self._live)
        else:
            story.facts = facts or replace(GONE, graph_name=story.facts.graph_name)

    def knows(self, run_id: str) -> bool:
        """Whether anything of the run was in the log."""
        return run_id in self._runs or run_id in self._over

    def go_live(self) -> None:
        """The history is told. Numbers go on above the reader's own: some of what it has seen may be gone from the log,
        and new events must not look known to it."""
        self._live = True
        self._seq = max(self._seq, self._subscription.since)

    def feed(self, entry: RunEvent) -> bytes:
        """The SSE frames that an entry gives this reader."""
        story = self._runs.get(entry.run_id)
        # What an older attempt says after a newer one is dropped: its worker has lost the lease.
        if story is None or entry.attempt < story.attempt:
            return b""
        kept = self._live or entry.resumable or story.facts.resumable
        if entry.event == END_OF_RUN:
            if kept:
                self._end(story, entry.id.ms)
            del self._runs[story.run_id]
            self._over.add(story.run_id)
        elif kept:
            story.attempt = entry.attempt
            if not story.begun:
                story.begun = True
                self._lifecycle(story, ROOT, "running", entry.id.ms)
            self._tell_entry(story, entry)
        return self._taken()

    def rebuild(
        self, run_id: str, facts: RunFacts, values: Json, interrupts: Sequence[JsonObject], at: int
    ) -> bytes:
        """The frames of a finished run whose entries are gone, from the thread's row: its last state, what it asks, how
        it ended."""
        story = RunStory(run_id, facts, hidden=False)
        self._lifecycle(story, ROOT, "running", at)
        self._tell(
            story,
            "values",
            ROOT,
            f"synth:{run_id}:values",
            _params(ROOT, at, told_state(values)),
            ("values",),
        )
        self._ask(story, ROOT, interrupts, at)
        self._end(story, at)
        return self._taken()

    def _taken(self) -> bytes:
        out, self._out = self._out, []
        return b"".join(out)

    def _tell_entry(self, story: RunStory, entry: RunEvent) -> None:
        method, *segments = entry.event.split("|")
        namespace = tuple(segments)
        if method == "error":
            story.error = orjson.loads(entry.data).get("message")
        elif is_protocol_event(entry.data):
            self._tell_protocol_event(story, method, namespace, entry)
        else:
            self._tell_mode(story, method, namespace, entry)

    # Runs of the thread protocol: their entries are events already.

    def _tell_protocol_event(
        self, story: RunStory, method: str, namespace: Namespace, entry: RunEvent
    ) -> None:
        event_id = str(entry.id)
        if method == "messages":
            self._tell_logged(story, method, namespace, entry, (method,))
        elif method == "tools":
            self._tell_logged(story, method, namespace, entry, (method,))
            if b'"tool-finished"' in entry.data:
                self._tell_tool_answer(story, namespace, entry)
        elif method in ("values", "updates"):
            params = orjson.loads(entry.data)["params"]
            at = params["timestamp"]
            self._ask(story, namespace, params.get("interrupts") or (), at)
            told = _params(namespace, at, told_state(params["data"]))
            self._tell(story, method, namespace, event_id, told, (method,))
        elif method == "custom":
            self._tell_logged(story, method, namespace, entry, _custom_channels(entry.data))
        elif method.startswith(NAMED):
            params = orjson.loads(entry.data)["params"]
            payload = {"name": method.removeprefix(NAMED), "payload": params["data"]}
            told = _params(namespace, params["timestamp"], payload)
            self._tell(story, "custom", namespace, event_id, told, ("custom", method))
        elif method == "lifecycle":
            params = orjson.loads(entry.data)["params"]
            self._tell_child(story, params["data"], params["timestamp"], event_id)

    def _tell_child(self, story: RunStory, data: JsonObject, at: int, event_id: str) -> None:
        namespace = tuple(data["namespace"])
        if data["event"] in TERMINAL:
            self._close_child(story, namespace, data["event"], at, data.get("error"))
            return
        story.open_children[namespace] = data.get("graph_name") or graph_name(namespace)
        self._tell(story, "lifecycle", namespace, event_id, _params(namespace, at, data), ("lifecycle",))

    def _tell_tool_answer(self, story: RunStory, namespace: Namespace, entry: RunEvent) -> None:
        """A tool's answer is also a message, in a namespace of its own."""
        params = orjson.loads(entry.data)["params"]
        call_id = params["data"]["tool_call_id"]
        below = (*namespace, f"tools:{call_id}")
        for number, data in enumerate(tool_answer(call_id, params["data"].get("output")), start=1):
            told = _params(below, params["timestamp"], data)
            self._tell(story, "messages", below, f"{entry.id}.{number}", told, ("messages",))

    # Other runs: their entries are frames of stream modes.

    def _tell_mode(self, story: RunStory, mode: str, namespace: Namespace, entry: RunEvent) -> None:
        if mode not in ("values", "updates", "tasks", "custom"):
            return
        if namespace:
            story.open_children.setdefault(namespace, graph_name(namespace))
        data, at, event_id = orjson.loads(entry.data), entry.id.ms, str(entry.id)
        if mode == "values":
            if isinstance(data, dict):
                self._ask(story, namespace, data.get(INTERRUPT) or (), at)
                if data.keys() == {INTERRUPT}:
                    return
            told = _params(namespace, at, told_state(data))
            self._tell(story, mode, namespace, event_id, told, (mode,))
        elif mode == "updates":
            self._tell_updates(story, namespace, entry, data)
        elif mode == "custom":
            named = isinstance(data, dict) and isinstance(data.get("name"), str)
            payload = {"name": data["name"], "payload": data} if named else {"payload": data}
            channels = ("custom", NAMED + data["name"]) if named else ("custom",)
            self._tell(story, mode, namespace, event_id, _params(namespace, at, payload), channels)
        else:
            if "result" in data:
                self._close_task(story, namespace, data, at)
            self._tell(story, mode, namespace, event_id, _params(namespace, at, data), (mode,))

    def _tell_updates(self, story: RunStory, namespace: Namespace, entry: RunEvent, data: JsonObject) -> None:
        at = entry.id.ms
        self._ask(story, namespace, data.get(INTERRUPT) or (), at)
        nodes = [node for node in data if not node.startswith("__")]
        for number, node in enumerate(nodes):
            event_id = f"{entry.id}.{number}" if number else str(entry.id)
            told = {**_params(namespace, at, told_state(data[node])), "node": node}
            self._tell(story, "updates", namespace, event_id, told, ("updates",))
            for child in [child for child in story.open_children if child[:-1] == namespace]:
                if graph_name(child) == node:
                    self._close_child(story, child, "completed", at)

    def _close_task(self, story: RunStory, namespace: Namespace, task: JsonObject, at: int) -> None:
        child = (*namespace, f"{task['name']}:{task['id']}")
        if child in story.open_children:
            event = (
                "interrupted" if task.get("interrupts") else "failed" if task.get("error") else "completed"
            )
            self._close_child(story, child, event, at)

    # What no entry says by itself.

    def _ask(self, story: RunStory, namespace: Namespace, interrupts: Sequence[JsonObject], at: int) -> None:
        """Tell of new interrupts, and that the run is interrupted by them: nobody has to wait for its end."""
        for interrupt in interrupts:
            if interrupt["id"] in story.interrupts:
                continue
            story.interrupts.add(interrupt["id"])
            data = {
                "interrupt_id": interrupt["id"],
                "payload": interrupt["value"],
                "value": interrupt["value"],
            }
            event_id = f"synth:{story.run_id}:input|{SEPARATOR.join(namespace)}|{interrupt['id']}"
            told = _params(namespace, at, data)
            self._tell(story, "input.requested", namespace, event_id, told, ("input",), of_its_time=True)
            self._lifecycle(story, ROOT, "interrupted", at)

    def _end(self, story: RunStory, at: int) -> None:
        ending = story.ending()
        if ending is not None:
            event, error = ending
            for child in sorted(story.open_children, key=len, reverse=True):
                self._close_child(story, child, event, at)
            self._lifecycle(story, ROOT, event, at, error)

    def _close_child(
        self, story: RunStory, namespace: Namespace, event: str, at: int, error: str | None = None
    ) -> None:
        story.open_children.setdefault(namespace, graph_name(namespace))
        self._lifecycle(story, namespace, event, at, error)
        del story.open_children[namespace]

    def _lifecycle(
        self, story: RunStory, namespace: Namespace, event: str, at: int, error: str | None = None
    ) -> None:
        event_id = f"synth:{story.run_id}:lc|{SEPARATOR.join(namespace)}|{event}"
        if event_id in story.said:
            return
        story.said.add(event_id)
        name = story.open_children[namespace] if namespace else story.facts.graph_name
        told = _params(namespace, at, lifecycle_data(event, name, error))
        self._tell(story, "lifecycle", namespace, event_id, told, ("lifecycle",), of_its_time=not namespace)

    def _tell(
        self,
        story: RunStory,
        method: str,
        namespace: Namespace,
        event_id: str,
        params: JsonObject,
        channels: Sequence[str],
        *,
        of_its_time: bool = False,
    ) -> None:
        """Count an event and show it if it is wanted. `of_its_time`: it would mislead while a newer run goes on."""
        if self._counts_only(story, namespace, channels, of_its_time):
            return
        event = {"type": "event", "event_id": event_id, "seq": self._seq, "method": method, "params": params}
        self._out.append(frame_of(method, orjson.dumps(event), str(self._seq)))

    def _tell_logged(
        self, story: RunStory, method: str, namespace: Namespace, entry: RunEvent, channels: Sequence[str]
    ) -> None:
        """As `_tell`, with an entry that is passed on as it stands: tokens, above all."""
        if not self._counts_only(story, namespace, channels, of_its_time=False):
            data = renumbered(entry.data, str(entry.id), self._seq)
            self._out.append(frame_of(method, data, str(self._seq)))

    def _counts_only(
        self, story: RunStory, namespace: Namespace, channels: Sequence[str], of_its_time: bool
    ) -> bool:
        self._seq += 1
        if story.hidden or self._seq <= self._subscription.since:
            return True
        if of_its_time and self._active and not self._live and story.run_id not in self._active:
            return True
        return not self._subscription.wants(channels, namespace)


def _params(namespace: Namespace, at: int, data: Json) -> JsonObject:
    return {"namespace": namespace, "timestamp": at, "data": data}


def _custom_channels(data: bytes) -> Sequence[str]:
    if b'"name"' not in data:
        return ("custom",)
    payload = orjson.loads(data)["params"]["data"]
    name = payload.get("name") if isinstance(payload, dict) else None
    return ("custom", NAMED + name) if isinstance(name, str) else ("custom",)
