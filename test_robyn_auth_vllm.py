"""Checks a server with sign-in and a model behind an OpenAI-compatible address (vLLM, or any other), step by step.

    python test_robyn_auth_vllm.py

Reads the environment as `test_robyn_manual.py` does, and starts what is missing as that does. The exit code is 0 when
all checks hold, else 1.
"""

import sys
import time
from typing import Any

import httpx

from test_robyn_manual import (
    QUESTION,
    Failed,
    Places,
    asked,
    create_assistant,
    places,
    signed_in,
    stream,
    text_of,
)

STATE_KEYS = {
    "checkpoint", "created_at", "interrupts", "metadata", "next", "parent_checkpoint", "tasks", "values",
}  # fmt: skip
ENDED = ("success", "error", "timeout", "interrupted")
RUN_SECONDS = 120


def main() -> int:
    """Check; the exit code."""
    try:
        with places() as there:
            check(there)
    except (Failed, httpx.HTTPError) as error:
        print(f"❌ {type(error).__name__}: {error}")
        return 1
    print("✅ All checks passed!")
    return 0


def check(there: Places) -> None:
    """All steps. Raises `Failed` at the first that does not hold."""
    if not there.model:
        raise Failed("there is no model server: set VLLM_BASE_URL")
    refused = httpx.post(f"{there.server}/threads/search", json={})
    holds(refused.status_code == 401, f"nobody gets in without a token ({refused.status_code})")
    with signed_in(there) as server:
        assistant_id = create_assistant(server, there.model)
        thread_id = asked(server, "POST", "/threads", {})["thread_id"]
        check_events(stream(server, thread_id, assistant_id))
        check_state(asked(server, "GET", f"/threads/{thread_id}/state"))
        check_background(server, assistant_id)


def check_events(events: list[str]) -> None:
    """The sequence of one turn."""
    print(f"   Events: {', '.join(events)}")
    partials = events[3:-2]
    holds(events[:3] == ["metadata", "values", "messages/metadata"], "the stream begins as it should")
    holds(len(partials) >= 2 and set(partials) == {"messages/partial"}, "the answer comes in pieces")
    holds(events[-2:] == ["updates", "values"], "the stream ends as it should")


def check_state(state: dict[str, Any]) -> None:
    """The thread after the run."""
    holds(state.keys() >= STATE_KEYS, f"the state has its keys: {sorted(state)}")
    messages = state["values"]["messages"]
    holds(
        [message["type"] for message in messages] == ["human", "ai"],
        "the thread has a question and an answer",
    )
    holds("4" in text_of(messages[-1]), f"the answer contains 4: {text_of(messages[-1])!r}")


def check_background(server: httpx.Client, assistant_id: str) -> None:
    """A run that nobody listens to comes to its end."""
    thread_id = asked(server, "POST", "/threads", {})["thread_id"]
    body = {"assistant_id": assistant_id, "input": {"messages": [{"role": "user", "content": QUESTION}]}}
    run = asked(server, "POST", f"/threads/{thread_id}/runs", body)
    deadline = time.monotonic() + RUN_SECONDS
    while run["status"] not in ENDED and time.monotonic() < deadline:
        time.sleep(0.2)
        run = asked(server, "GET", f"/threads/{thread_id}/runs/{run['run_id']}")
    holds(run["status"] == "success", f"the background run ends with success ({run['status']})")


def holds(fact: bool, said: str) -> None:
    """Print what holds. Raises `Failed` when it does not."""
    if not fact:
        raise Failed(f"does not hold: {said}")
    print(f"✅ {said[0].upper()}{said[1:]}")


if __name__ == "__main__":
    sys.exit(main())
