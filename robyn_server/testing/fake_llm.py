"""A small OpenAI-compatible model server that answers by rules. No key, no network, the same answer every time.

    python -m robyn_server.testing.fake_llm --port 7374 [--rules rules.json]

prints `fake llm listening on http://127.0.0.1:7374/v1` when it is ready; `--port 0` chooses a port. What rules can say
stands in `fake_llm_rules.py`; those of the file come before the built-in ones. `POST /v1/chat/completions` (streaming
or not), `GET /v1/models`; `GET /requests` tells the last requests, each `{"authorization", "body"}`, `DELETE /requests`
forgets them.
"""

import argparse
import asyncio
import json
import sys
from collections import Counter, deque
from collections.abc import AsyncIterator
from pathlib import Path

from robyn_server.resources.types import JsonObject
from robyn_server.testing.fake_llm_completion import completion, streamed
from robyn_server.testing.fake_llm_http import Answer, Asked, Chunks, Cut, serve
from robyn_server.testing.fake_llm_rules import BUILT_IN, BadRules, Rule, rule_for, rules_from

KEPT_REQUESTS = 1000
MODELS = ("fake", "gpt-4o")


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
                return await self._complete(asked)
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
        return Answer(404, _error(404, f"No such route: {asked.method} {asked.path}"))

    async def _complete(self, asked: Asked) -> Answer | Chunks:
        body = asked.body
        if not isinstance(body, dict) or not isinstance(body.get("messages"), list):
            return Answer(400, _error(400, "'messages' is a required property"))
        self._requests.append({"authorization": asked.headers.get("authorization"), "body": body})
        messages = [message for message in body["messages"] if isinstance(message, dict)]
        rule, reply = rule_for(self._rules, messages)
        if rule.error_status and self._failures[rule] < rule.error_times:
            self._failures[rule] += 1
            # Clients of OpenAI wait as long as this says before they try again.
            return Answer(
                rule.error_status, _error(rule.error_status, rule.error_message), {"retry-after-ms": "20"}
            )
        del self._failures[rule]
        if body.get("stream"):
            return Chunks(self._paced(rule, streamed(reply, body)))
        await asyncio.sleep(rule.delay * len(reply.tokens))
        if rule.cut_after is not None:
            raise Cut
        return Answer(200, completion(reply, body))

    async def _paced(self, rule: Rule, chunks: list[JsonObject]) -> AsyncIterator[bytes]:
        for number, chunk in enumerate(chunks):
            if rule.cut_after is not None and number > rule.cut_after:
                raise Cut
            if number and rule.delay:
                await asyncio.sleep(rule.delay)
            yield b"data: " + json.dumps(chunk).encode() + b"\n\n"
        yield b"data: [DONE]\n\n"


def _error(status: int, message: str) -> JsonObject:
    kind = {429: "rate_limit_error", 401: "authentication_error"}.get(status, "invalid_request_error")
    return {"error": {"message": message, "type": kind, "param": None, "code": None}}


async def _run(host: str, port: int, rules: tuple[Rule, ...]) -> None:
    server = await serve(FakeLlm(rules).handle, host, port)
    async with server:
        sys.stdout.write(f"fake llm listening on http://{host}:{server.sockets[0].getsockname()[1]}/v1\n")
        sys.stdout.flush()
        await server.serve_forever()


def main() -> None:
    """Serve until interrupted."""
    parser = argparse.ArgumentParser(
        prog="fake_llm", description="An OpenAI-compatible server that answers by rules."
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
