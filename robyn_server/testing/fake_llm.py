"""A small model server that answers by rules. No key, no network, the same answer every time.

    python -m robyn_server.testing.fake_llm --port 7374 [--rules rules.json]

prints `fake llm listening on http://127.0.0.1:7374/v1` when it is ready; `--port 0` chooses a port. What rules can say
stands in `fake_llm_rules.py`; those of the file come before the built-in ones. It speaks as OpenAI does,
`POST /v1/chat/completions` and `GET /v1/models`, and as Anthropic does, `POST /v1/messages`; streaming or not. `GET
/requests` tells the last requests, each `{"authorization" (Anthropic's: x-api-key), "body"}`, `DELETE /requests`
forgets them.
"""

import argparse
import asyncio
import json
import sys
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

from robyn_server.resources.types import JsonObject
from robyn_server.testing.fake_llm_completion import completion, refused, streamed
from robyn_server.testing.fake_llm_http import Answer, Asked, Chunks, Cut, serve
from robyn_server.testing.fake_llm_messages import message, messages_of, refused_message, streamed_message
from robyn_server.testing.fake_llm_rules import BUILT_IN, BadRules, Reply, Rule, rule_for, rules_from

KEPT_REQUESTS = 1000
MODELS = ("fake", "gpt-4o")


@dataclass(frozen=True, slots=True)
class Wire:
    """The words of one provider: a request's messages as rules read them, a reply whole, as pieces of a stream, or
    refused."""

    messages: Callable[[JsonObject], list[JsonObject]]
    whole: Callable[[Reply, JsonObject], JsonObject]
    streamed: Callable[[Reply, JsonObject], list[bytes]]
    refused: Callable[[int, str], JsonObject]
    end: bytes = b""


OPENAI = Wire(lambda asked: asked["messages"], completion, streamed, refused, b"data: [DONE]\n\n")
ANTHROPIC = Wire(messages_of, message, streamed_message, refused_message)


class FakeLlm:
    """Answers requests; remembers them and how often a rule has failed."""

    def __init__(self, rules: tuple[Rule, ...]) -> None:
        self._rules = rules
        self._failures: Counter[Rule] = Counter()
        self._requests: deque[JsonObject] = deque(maxlen=KEPT_REQUESTS)

    async def handle(self, asked: Asked) -> Answer | Chunks:
        """One request."""
        match asked.method, asked.path:
            case "POST", "/v1/chat/completions":
                return await self._complete(asked, OPENAI)
            case "POST", "/v1/messages":
                return await self._complete(asked, ANTHROPIC)
            case "GET", "/v1/models":
                models = [
                    {"id": name, "object": "model", "created": 0, "owned_by": "fake"} for name in MODELS
                ]
                return Answer(200, {"object": "list", "data": models})
            case "GET", "/requests":
                return Answer(200, list(self._requests))
            case "DELETE", "/requests":
                self._requests.clear()
                return Answer(200, {})
        return Answer(404, refused(404, f"No such route: {asked.method} {asked.path}"))

    async def _complete(self, asked: Asked, wire: Wire) -> Answer | Chunks:
        body = asked.body
        if not isinstance(body, dict) or not isinstance(body.get("messages"), list):
            return Answer(400, wire.refused(400, "'messages' is a required property"))
        shown = asked.headers.get("authorization") or asked.headers.get("x-api-key")
        self._requests.append({"authorization": shown, "body": body})
        body = {**body, "messages": [one for one in body["messages"] if isinstance(one, dict)]}
        rule, reply = rule_for(self._rules, wire.messages(body))
        if rule.error_status and self._failures[rule] < rule.error_times:
            self._failures[rule] += 1
            # Clients of OpenAI wait as long as this says before they try again.
            return Answer(
                rule.error_status,
                wire.refused(rule.error_status, rule.error_message),
                {"retry-after-ms": "20"},
            )
        del self._failures[rule]
        if body.get("stream"):
            return Chunks(self._paced(rule, [*wire.streamed(reply, body), wire.end]))
        await asyncio.sleep(rule.delay * len(reply.tokens))
        if rule.cut_after is not None:
            raise Cut
        return Answer(200, wire.whole(reply, body))

    async def _paced(self, rule: Rule, pieces: list[bytes]) -> AsyncIterator[bytes]:
        *said, end = pieces
        for number, piece in enumerate(said):
            if rule.cut_after is not None and number > rule.cut_after:
                raise Cut
            if number and rule.delay:
                await asyncio.sleep(rule.delay)
            yield piece
        if end:
            yield end


async def _run(host: str, port: int, rules: tuple[Rule, ...]) -> None:
    server = await serve(FakeLlm(rules).handle, host, port)
    async with server:
        sys.stdout.write(f"fake llm listening on http://{host}:{server.sockets[0].getsockname()[1]}/v1\n")
        sys.stdout.flush()
        await server.serve_forever()


def main() -> None:
    """Serve until interrupted."""
    parser = argparse.ArgumentParser(
        prog="fake_llm", description="A model server that answers by rules, as OpenAI and as Anthropic."
    )
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=7374)
    parser.add_argument("--rules", type=Path, help='a JSON file: {"rules": [...]}')
    given = parser.parse_args()
    try:
        rules = rules_from(json.loads(given.rules.read_text())) if given.rules else ()
        asyncio.run(_run(given.host, given.port, (*rules, *BUILT_IN)))
    except (BadRules, OSError, ValueError) as error:
        sys.exit(f"fake_llm: {error}")
    except KeyboardInterrupt:
        pass


if __name__ == "__main__":
    main()
