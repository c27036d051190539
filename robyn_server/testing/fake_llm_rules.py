"""Which answer the stand-in model gives: a regular expression on the last user message chooses.

A file of rules is JSON: `{"rules": [RULE, ...]}`, the first that matches wins. A rule:

    {"match": "weather in (\\w+)",             regular expression, searched without regard to case
     "replies": [{"tool_calls": [{"name": "weather", "arguments": {"city": "Rome"}}]}, {"text": "It is sunny."}],
     "delay": 0.2,                             seconds before each token
     "error": {"status": 429, "times": 2, "message": "Slow down"},    that often, then the reply
     "cut_after": 3}                           drops the connection after so many chunks

`{"match", "text"}` is short for one reply. A reply has `text`, `tool_calls` or both; the model's n-th turn since the
last user message takes the n-th reply, and the last one from then on. An argument `{"$from_tool": "id"}` takes the
first value of that key in the last tool result. Without a rule the answer is `You said: ...`.
"""

import json
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from robyn_server.resources.types import Json, JsonObject

FROM_TOOL = "$from_tool"


class BadRules(ValueError):
    """The rules cannot be used; the text says which and why."""


@dataclass(frozen=True)
class Reply:
    """One turn of the model. `tool_calls` are `{"name", "arguments": {...}}`."""

    text: str = ""
    tool_calls: tuple[JsonObject, ...] = ()

    @cached_property
    def tokens(self) -> list[str]:
        """The words of the text, each with the white space that follows it."""
        return re.findall(r"\S+\s*|\s+", self.text)


@dataclass(frozen=True, eq=False)
class Rule:
    """When `match` is found, `replies` are given."""

    match: re.Pattern[str]
    replies: tuple[Reply, ...]
    delay: float = 0
    error_status: int = 0
    error_times: int = 0
    error_message: str = "This request was refused by a rule"
    cut_after: int | None = None


def rules_from(document: Json) -> tuple[Rule, ...]:
    """Read a file of rules. Raises `BadRules`."""
    if not isinstance(document, Mapping) or not isinstance(document.get("rules"), list):
        raise BadRules('a file of rules is {"rules": [...]}')
    return tuple(_rule(number, rule) for number, rule in enumerate(document["rules"], 1))


def rule_for(rules: Sequence[Rule], messages: Sequence[JsonObject]) -> tuple[Rule, Reply]:
    """The first rule for the last user message, and its reply for this turn."""
    last_user = max((i for i, message in enumerate(messages) if message.get("role") == "user"), default=-1)
    text = _text(messages[last_user]) if last_user >= 0 else ""
    rule = next((rule for rule in rules if rule.match.search(text)), ECHO)
    turn = sum(message.get("role") == "assistant" for message in messages[last_user + 1 :])
    reply = rule.replies[min(turn, len(rule.replies) - 1)]
    if rule is ECHO:
        reply = Reply(f"You said: {text}")
    calls = tuple({**call, "arguments": _filled(call["arguments"], messages)} for call in reply.tool_calls)
    return rule, Reply(reply.text, calls)


def _rule(number: int, given: Json) -> Rule:
    try:
        error = given.get("error") or {}
        replies = given.get("replies") or [
            {"text": given.get("text", ""), "tool_calls": given.get("tool_calls", [])}
        ]
        return Rule(
            match=re.compile(given["match"], re.IGNORECASE),
            replies=tuple(_reply(reply) for reply in replies),
            delay=float(given.get("delay", 0)),
            error_status=int(error.get("status", 0)),
            error_times=int(error.get("times", sys.maxsize if error else 0)),
            error_message=str(error.get("message", Rule.error_message)),
            cut_after=given.get("cut_after"),
        )
    except (KeyError, TypeError, AttributeError, ValueError, re.error) as problem:
        raise BadRules(f"rule {number} cannot be used: {type(problem).__name__}: {problem}") from problem


def _reply(given: Mapping[str, Json]) -> Reply:
    calls = [
        {"name": call["name"], "arguments": dict(call.get("arguments", {}))}
        for call in given.get("tool_calls", [])
    ]
    return Reply(str(given.get("text", "")), tuple(calls))


def _text(message: JsonObject) -> str:
    content = message.get("content")
    if isinstance(content, list):
        return " ".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    return str(content or "")


def _filled(arguments: JsonObject, messages: Sequence[JsonObject]) -> JsonObject:
    return {
        name: _from_tool(value[FROM_TOOL], messages)
        if isinstance(value, dict) and FROM_TOOL in value
        else value
        for name, value in arguments.items()
    }


def _from_tool(key: str, messages: Sequence[JsonObject]) -> Json:
    result = next((_text(message) for message in reversed(messages) if message.get("role") == "tool"), "")
    try:
        return next(_values(json.loads(result), key), None)
    except ValueError:
        return None


def _values(document: Json, key: str) -> Iterator[Json]:
    if isinstance(document, dict):
        if key in document:
            yield document[key]
        for value in document.values():
            yield from _values(value, key)
    elif isinstance(document, list):
        for value in document:
            yield from _values(value, key)


ECHO = Rule(re.compile(""), (Reply(),))

BUILT_IN = rules_from(
    {
        "rules": [
            {
                "match": r"rate_limit",
                "text": "Done after two refusals.",
                "error": {"status": 429, "times": 2},
            },
            {
                "match": r"\bslow\b",
                "text": "This answer takes its time, one word after another.",
                "delay": 0.2,
            },
            {"match": r"What is 2 \+ 2", "text": "4"},
            {
                "match": r"Add a task to buy groceries",
                "replies": [
                    {"tool_calls": [{"name": "add_task", "arguments": {"title": "Buy groceries"}}]},
                    {"text": 'I have added the task "Buy groceries".'},
                ],
            },
            {
                "match": r"Mark the grocery task as completed",
                "replies": [
                    {"tool_calls": [{"name": "list_tasks"}]},
                    {"tool_calls": [{"name": "complete_task", "arguments": {"task_id": {FROM_TOOL: "id"}}}]},
                    {"text": "I have marked the grocery task as completed."},
                ],
            },
        ]
    }
)
