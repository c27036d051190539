"""From the entries of a thread's log to the events of one reader."""

from typing import Any

import orjson

from robyn_server.resources.event import END_OF_RUN, EventId, RunEvent
from robyn_server.resources.protocol_event import logged_event
from robyn_server.wire.protocol_v2.channels import read_subscription
from robyn_server.wire.protocol_v2.run_story import RunFacts
from robyn_server.wire.protocol_v2.session import ProtocolSession

EVERYTHING = ["values", "updates", "messages", "tools", "custom", "lifecycle", "input", "tasks"]


def facts(status: Any = "success", **given: Any) -> RunFacts:
    return RunFacts("graph", status, **{"resumable": True, **given})


class Thread:
    """A log in the making, and the rows of its runs."""

    def __init__(self) -> None:
        self.entries: list[RunEvent] = []
        self.rows: dict[str, RunFacts | None] = {}

    def says(
        self, run_id: str, event: str, data: Any = None, *, attempt: int = 1, resumable: bool = True
    ) -> RunEvent:
        encoded = data if isinstance(data, bytes) else orjson.dumps(data)
        entry = RunEvent(EventId(1000, len(self.entries)), run_id, attempt, event, encoded, resumable)
        self.entries.append(entry)
        return entry

    def event(
        self, run_id: str, method: str, data: Any, *namespace: str, attempt: int = 1, **params: Any
    ) -> None:
        told = orjson.dumps({"namespace": namespace, "timestamp": 5, "data": data, **params})
        logged = logged_event(len(self.entries), method, told)
        self.says(run_id, "|".join((method, *namespace)), logged, attempt=attempt)

    def ends(self, run_id: str, row: RunFacts | None, *, resumable: bool = True) -> None:
        self.says(run_id, END_OF_RUN, resumable=resumable, attempt=9)
        self.rows[run_id] = row

    def run(self, run_id: str, row: RunFacts | None, *values: Any) -> None:
        """A whole run that streams these states."""
        self.says(run_id, "metadata", {"attempt": 1})
        for one in values:
            self.event(run_id, "values", one)
        self.ends(run_id, row)

    def told(self, session: ProtocolSession) -> list[dict[str, Any]]:
        """What the session makes of all entries so far, once."""
        entries, self.entries = self.entries, []
        chunks = []
        for entry in entries:
            if session.asks_for_facts(entry):
                session.learn(entry.run_id, self.rows.get(entry.run_id, facts("running")))
            chunks.append(session.feed(entry))
        return frames(b"".join(chunks))


def frames(chunk: bytes) -> list[dict[str, Any]]:
    found = []
    for block in chunk.split(b"\r\n\r\n")[:-1]:
        name, data, number = (line.split(b": ", 1)[1] for line in block.split(b"\r\n"))
        event = orjson.loads(data)
        assert (event["type"], event["method"], str(event["seq"])) == (
            "event",
            name.decode(),
            number.decode(),
        )
        found.append(event)
    return found


def reader(*channels: str, active: Any = (), **asked: Any) -> ProtocolSession:
    return ProtocolSession(read_subscription({"channels": list(channels) or EVERYTHING, **asked}), active)


def short(events: list[dict[str, Any]]) -> list[Any]:
    """Number, method, and what lifecycle events say."""
    return [
        (event["seq"], event["method"], event["params"]["data"]["event"])
        if event["method"] == "lifecycle"
        else (event["seq"], event["method"])
        for event in events
    ]


def test_a_run_from_its_beginning_to_its_end() -> None:
    thread = Thread()
    thread.run("r", facts(), {"n": 1}, {"n": 2})
    events = thread.told(reader())
    assert short(events) == [
        (1, "lifecycle", "running"),
        (2, "values"),
        (3, "values"),
        (4, "lifecycle", "completed"),
    ]
    assert [event["event_id"] for event in events] == [
        "synth:r:lc||running", "1000-1", "1000-2", "synth:r:lc||completed"
    ]  # fmt: skip
    assert events[1]["params"] == {"namespace": [], "timestamp": 5, "data": {"n": 1}}
    assert events[3]["params"]["data"] == {"event": "completed", "graph_name": "graph"}


def test_numbers_count_what_is_not_shown() -> None:
    thread = Thread()
    thread.run("r", facts(), {"n": 1}, {"n": 2})
    assert short(thread.told(reader("values", since=2))) == [(3, "values")]


def test_an_interrupt_is_asked_once_and_ends_the_wait() -> None:
    thread = Thread()
    asked = [{"id": "i", "value": {"which": 1}}]
    thread.says("r", "metadata", {})
    thread.event("r", "values", {"n": 1}, "inner:7", interrupts=asked)
    thread.event("r", "values", {"n": 1}, interrupts=asked)
    thread.ends("r", facts())
    events = thread.told(reader())
    assert short(events)[1:] == [
        (2, "input.requested"), (3, "lifecycle", "interrupted"), (4, "values"), (5, "values")
    ]  # fmt: skip
    request = events[1]
    assert request["event_id"] == "synth:r:input|inner:7|i"
    assert request["params"]["namespace"] == ["inner:7"]
    assert request["params"]["data"] == {"interrupt_id": "i", "payload": {"which": 1}, "value": {"which": 1}}
    assert events[2]["params"]["namespace"] == []


def ending(row: RunFacts) -> dict[str, Any]:
    thread = Thread()
    thread.says("r", "metadata", {})
    thread.ends("r", row)
    _, last = thread.told(reader("lifecycle"))
    data: dict[str, Any] = last["params"]["data"]
    return data


def test_every_ending_is_told() -> None:
    assert ending(facts()) == {"event": "completed", "graph_name": "graph"}
    assert ending(facts("error", error="broken")) == {
        "event": "failed",
        "graph_name": "graph",
        "error": "broken",
    }
    assert ending(facts("interrupted")) == {"event": "interrupted", "graph_name": "graph"}
    assert ending(facts("timeout"))["event"] == "failed"


def test_a_rolled_back_run_fails_for_who_watches_and_is_hidden_from_who_comes_later() -> None:
    thread = Thread()
    watching = reader()
    watching.go_live()
    thread.says("r", "metadata", {})
    thread.rows["r"] = facts("running")
    assert short(thread.told(watching)) == [(1, "lifecycle", "running")]
    thread.ends("r", None)
    (ending,) = thread.told(watching)
    assert ending["params"]["data"] == {
        "event": "failed", "graph_name": "graph", "error": "The run was rolled back."
    }  # fmt: skip
    later = Thread()
    later.run("r", None, {"n": 1})
    later.run("next", facts(), {"n": 1})
    assert [event["seq"] for event in later.told(reader())] == [4, 5, 6], (
        "both readers number the next run alike"
    )


def test_a_run_cancelled_before_it_started() -> None:
    thread = Thread()
    thread.ends("r", facts("interrupted", started=False), resumable=False)
    (ending,) = thread.told(reader())
    assert ending["params"]["data"]["event"] == "failed"
    assert "before it started" in ending["params"]["data"]["error"]


def test_a_second_attempt_goes_on_and_the_first_is_heard_no_more() -> None:
    thread = Thread()
    thread.says("r", "metadata", {"attempt": 1})
    thread.event("r", "values", {"n": 1})
    thread.says("r", "metadata", {"attempt": 2}, attempt=2)
    thread.event("r", "values", {"n": 99}, attempt=1)
    thread.event("r", "values", {"n": 2}, attempt=2)
    thread.ends("r", facts())
    events = thread.told(reader())
    assert short(events) == [
        (1, "lifecycle", "running"),
        (2, "values"),
        (3, "values"),
        (4, "lifecycle", "completed"),
    ]
    assert events[2]["params"]["data"] == {"n": 2}


def test_tokens_are_passed_on_as_they_stand() -> None:
    thread = Thread()
    delta = {
        "event": "content-block-delta",
        "index": 0,
        "delta": {"type": "text-delta", "text": '"method": ü'},
    }
    thread.event("r", "messages", delta, "team:1")
    (event,) = thread.told(reader("messages"))
    assert event == {
        "type": "event", "event_id": "1000-0", "seq": 2, "method": "messages",
        "params": {"namespace": ["team:1"], "timestamp": 5, "data": delta},
    }  # fmt: skip


def test_messages_in_states_are_cut_down() -> None:
    ai: dict[str, Any] = {
        "type": "ai", "content": "hi", "id": "1", "name": None, "additional_kwargs": {}, "response_metadata": {},
        "tool_calls": [], "invalid_tool_calls": [], "usage_metadata": None,
    }  # fmt: skip
    tool: dict[str, Any] = {
        "type": "tool", "content": "4", "id": None, "tool_call_id": "c", "status": "success", "artifact": None,
        "additional_kwargs": {}, "response_metadata": {},
    }  # fmt: skip
    thread = Thread()
    thread.event("r", "values", {"messages": [ai, tool], "alone": ai, "__interrupt__": []})
    thread.event("r", "updates", {"node": {"messages": [ai]}})
    values, updates = thread.told(reader("values", "updates"))
    told_ai = {"type": "ai", "content": "hi", "id": "1"}
    told_tool = {"type": "tool", "content": "4", "tool_call_id": "c", "status": "success", "artifact": None}
    assert values["params"]["data"] == {"messages": [told_ai, told_tool], "alone": ai}
    assert updates["params"]["data"] == {"node": {"messages": [told_ai]}}


def test_subgraphs_begin_and_end() -> None:
    thread = Thread()
    started = {"event": "started", "namespace": ["child:1"], "graph_name": "kid", "trigger_call_id": "1"}
    thread.event("r", "lifecycle", started)
    thread.event("r", "lifecycle", {"event": "failed", "namespace": ["child:1"], "error": "broken"})
    _, begin, end = thread.told(reader("lifecycle"))
    assert (begin["event_id"], begin["params"]["namespace"], begin["params"]["data"]) == (
        "1000-0",
        ["child:1"],
        started,
    )
    assert end["event_id"] == "synth:r:lc|child:1|failed"
    assert end["params"]["data"] == {"event": "failed", "graph_name": "kid", "error": "broken"}


def test_a_tools_answer_is_a_message_too() -> None:
    thread = Thread()
    output = {"type": "tool", "content": [{"type": "text", "text": "4"}, {"type": "text", "text": "2"}]}
    thread.event("r", "tools", {"event": "tool-finished", "tool_call_id": "c", "output": output})
    tools, *message = thread.told(reader("tools", "messages"))
    assert tools["event_id"] == "1000-0"
    assert [event["params"]["data"]["event"] for event in message] == [
        "message-start", "content-block-start", "content-block-delta", "content-block-finish", "message-finish"
    ]  # fmt: skip
    assert {tuple(event["params"]["namespace"]) for event in message} == {("tools:c",)}
    assert message[2]["params"]["data"]["content"] == {"type": "text", "text": "42"}
    assert [event["event_id"] for event in message] == [f"1000-0.{number}" for number in range(1, 6)]


def test_named_channels() -> None:
    thread = Thread()
    thread.event("r", "custom:progress", {"step": 1})
    thread.event("r", "custom", {"name": "progress", "step": 2})
    thread.event("r", "custom", {"step": 3})
    events = thread.told(reader("custom:progress"))
    assert [event["params"]["data"] for event in events] == [
        {"name": "progress", "payload": {"step": 1}}, {"name": "progress", "step": 2}
    ]  # fmt: skip
    assert {event["method"] for event in events} == {"custom"}


def test_frames_of_stream_modes() -> None:
    thread = Thread()
    thread.says("r", "values", {"log": []})
    thread.says("r", "messages/partial", [{"type": "ai"}])
    thread.says("r", "values|child:1", {"log": [1]})
    thread.says("r", "custom|child:1", {"name": "progress", "step": 1})
    thread.says("r", "updates", {"child": {"log": [1]}})
    thread.says("r", "updates", {"__interrupt__": [{"id": "i", "value": "?"}]})
    thread.says("r", "values", {"log": [1], "__interrupt__": [{"id": "i", "value": "?"}]})
    thread.says("r", "error", {"error": "ValueError", "message": "broken"})
    thread.ends("r", facts("error"))
    events = thread.told(reader())
    assert short(events) == [
        (1, "lifecycle", "running"), (2, "values"), (3, "values"), (4, "custom"), (5, "updates"),
        (6, "lifecycle", "completed"), (7, "input.requested"), (8, "lifecycle", "interrupted"), (9, "values"),
        (10, "lifecycle", "failed"),
    ]  # fmt: skip
    assert events[4]["params"] == {"namespace": [], "timestamp": 1000, "data": {"log": [1]}, "node": "child"}
    assert events[5]["params"]["namespace"] == ["child:1"]
    assert events[8]["params"]["data"] == {"log": [1]}
    assert events[9]["params"]["data"]["error"] == "broken"


def test_runs_that_are_not_kept_are_seen_live_only() -> None:
    thread = Thread()
    plain = facts("running", resumable=False)
    thread.rows["r"] = plain
    session = reader()
    thread.says("r", "values", {"n": 1}, resumable=False)
    assert thread.told(session) == []
    session.go_live()
    thread.says("r", "values", {"n": 2}, resumable=False)
    assert short(thread.told(session)) == [(1, "lifecycle", "running"), (2, "values")]


def test_old_endings_do_not_mislead_who_waits_for_a_new_run() -> None:
    thread = Thread()
    thread.run("old", facts(), {"n": 1})
    thread.rows["new"] = facts("running")
    thread.says("new", "metadata", {})
    session = reader(active=["new"])
    assert short(thread.told(session)) == [(2, "values"), (4, "lifecycle", "running")]
    session.go_live()
    thread.ends("new", facts())
    assert short(thread.told(session)) == [(5, "lifecycle", "completed")]


def test_new_events_are_numbered_above_what_the_reader_has_seen() -> None:
    thread = Thread()
    session = reader(since=50)
    thread.run("r", facts(), {"n": 1})
    assert thread.told(session) == []
    session.go_live()
    thread.run("s", facts(), {"n": 2})
    assert [event["seq"] for event in thread.told(session)] == [51, 52, 53]


def test_a_run_whose_entries_are_gone_is_rebuilt() -> None:
    session = reader()
    asked = [{"id": "i", "value": "?"}]
    events = frames(session.rebuild("r", facts(), {"n": 1}, asked, at=7))
    assert short(events) == [
        (1, "lifecycle", "running"), (2, "values"), (3, "input.requested"), (4, "lifecycle", "interrupted")
    ]  # fmt: skip
    assert events[1]["params"] == {"namespace": [], "timestamp": 7, "data": {"n": 1}}
