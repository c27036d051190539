"""Walks a running server and prints what it sees: a user (if SUPABASE_URL is set), an assistant, a thread, a streamed
run, the thread's state.

    python test_robyn_manual.py [--require-answer]

ROBYN_URL (default http://127.0.0.1:8081) is the server. SUPABASE_URL, SUPABASE_KEY (anon) and SUPABASE_SECRET (service
role) let it sign in first. VLLM_BASE_URL (default http://localhost:7374/v1) and VLLM_MODEL_NAME choose a model server;
when VLLM_BASE_URL is not set and nothing answers there, the assistant is left to the server's own model (the demo model
when no key is set).

The exit code is 0 when everything answered as it should, also when the model did not; with --require-answer it is 2
without an answer that contains 4. It is 1 when the server itself fails.
"""

import os
import sys
from typing import Any

import httpx

ROBYN_URL = os.environ.get("ROBYN_URL", "http://127.0.0.1:8081").rstrip("/")
SUPABASE_URL = os.environ.get("SUPABASE_URL", "").rstrip("/")
SUPABASE_KEY = os.environ.get("SUPABASE_KEY", "")
SUPABASE_SECRET = os.environ.get("SUPABASE_SECRET", "")
VLLM_BASE_URL = os.environ.get("VLLM_BASE_URL", "")
VLLM_DEFAULT_URL = "http://localhost:7374/v1"
VLLM_MODEL_NAME = os.environ.get("VLLM_MODEL_NAME", "")

EMAIL, PASSWORD = "robyn-test@example.com", "robyn-test-password-1"
QUESTION = "What is 2 + 2? Answer with just the number."
SHOWN = 160
SECONDS = httpx.Timeout(10, read=120)


class Failed(Exception):
    """The walk ends here; the text says where and why."""


def main() -> int:
    """Walk; the exit code."""
    require_answer = "--require-answer" in sys.argv[1:]
    try:
        answer = walk()
    except (Failed, httpx.HTTPError) as error:
        print(f"❌ {type(error).__name__}: {error}")
        return 1
    if require_answer and "4" not in answer:
        print(f"❌ The model gave no answer that contains 4: {answer!r}")
        return 2
    print("✅ Test completed successfully!")
    return 0


def walk() -> str:
    """All steps; the text of the model's answer, empty when there is none."""
    with httpx.Client(base_url=ROBYN_URL, timeout=SECONDS) as server:
        print(f"✅ Robyn is up: {asked(server, 'GET', '/ok')}")
        if SUPABASE_URL:
            server.headers["Authorization"] = f"Bearer {sign_in()}"
        assistant_id = create_assistant(server)
        thread_id = asked(server, "POST", "/threads", {})["thread_id"]
        print(f"✅ Created thread: {thread_id}")
        stream(server, thread_id, assistant_id)
        return show_state(server, thread_id)


def sign_in() -> str:
    """Create the test user, if need be, and get a token for it."""
    with httpx.Client(base_url=f"{SUPABASE_URL}/auth/v1", timeout=SECONDS) as supabase:
        as_admin = {"apikey": SUPABASE_SECRET or SUPABASE_KEY, "Authorization": f"Bearer {SUPABASE_SECRET}"}
        user = {"email": EMAIL, "password": PASSWORD, "email_confirm": True}
        created = supabase.post("/admin/users", json=user, headers=as_admin)
        if created.is_success:
            print(f"✅ Created user: {EMAIL}")
        else:
            print(f"   User {EMAIL} was not created ({created.status_code}); it may exist already")
        granted = supabase.post(
            "/token",
            params={"grant_type": "password"},
            json={"email": EMAIL, "password": PASSWORD},
            headers={"apikey": SUPABASE_KEY or SUPABASE_SECRET},
        )
        if granted.is_error:
            raise Failed(f"Supabase gave no token ({granted.status_code}): {granted.text[:SHOWN]}")
        print("✅ Got a JWT")
        return str(granted.json()["access_token"])


def create_assistant(server: httpx.Client) -> str:
    """An assistant for the model server, or without a word about models."""
    base_url = VLLM_BASE_URL or (VLLM_DEFAULT_URL if answers(VLLM_DEFAULT_URL) else "")
    configurable: dict[str, Any] = {"temperature": 0.0, "max_tokens": 100}
    if base_url:
        configurable |= {
            "model_name": "custom:",
            "base_url": base_url,
            "custom_model_name": model_at(base_url),
        }
        print(f"   Model: {configurable['custom_model_name']} at {base_url}")
    else:
        print("   Model: the server's own choice (VLLM_BASE_URL is not set)")
    body = {"graph_id": "agent", "name": "manual walk", "config": {"configurable": configurable}}
    assistant_id = asked(server, "POST", "/assistants", body)["assistant_id"]
    print(f"✅ Created assistant: {assistant_id}")
    return str(assistant_id)


def stream(server: httpx.Client, thread_id: str, assistant_id: str) -> None:
    """One streamed run, each line as it comes."""
    body = {
        "assistant_id": assistant_id,
        "input": {"messages": [{"role": "user", "content": QUESTION}]},
        "stream_mode": ["values", "messages", "updates"],
    }
    events = 0
    print("\n--- SSE Events ---")
    with server.stream("POST", f"/threads/{thread_id}/runs/stream", json=body) as response:
        if response.is_error:
            response.read()
            raise Failed(f"the run was refused ({response.status_code}): {response.text[:SHOWN]}")
        for line in response.iter_lines():
            if line.startswith("event:"):
                events += 1
            if line.startswith(("event:", "data:")):
                print(line if len(line) <= SHOWN else f"{line[:SHOWN]}...", flush=True)
    print(f"\n--- End SSE ({events} events) ---\n")


def show_state(server: httpx.Client, thread_id: str) -> str:
    """Print the conversation; the text of its last message if that is the model's."""
    values = asked(server, "GET", f"/threads/{thread_id}/state")["values"] or {}
    messages = values.get("messages", [])
    print(f"Thread has {len(messages)} messages")
    for message in messages:
        calls = ", ".join(f"{call['name']}({call['args']})" for call in message.get("tool_calls") or ())
        print(f"[{message['type']}] {text_of(message)}{calls and f' -> {calls}'}")
    last = messages[-1] if messages else {}
    return text_of(last) if last.get("type") == "ai" else ""


def text_of(message: dict[str, Any]) -> str:
    """The text of a message whose content may be blocks."""
    content = message.get("content") or ""
    if isinstance(content, str):
        return content
    return "".join(block.get("text", "") for block in content if isinstance(block, dict))


def asked(server: httpx.Client, method: str, path: str, body: Any = None) -> Any:
    """The JSON of an answer. Raises `Failed` for an error status."""
    response = server.request(method, path, json=body)
    if response.is_error:
        raise Failed(f"{method} {path} answered {response.status_code}: {response.text[:SHOWN]}")
    return response.json()


def answers(url: str) -> bool:
    """Whether a model server is there."""
    try:
        return httpx.get(f"{url}/models", timeout=2).is_success
    except httpx.HTTPError:
        return False


def model_at(base_url: str) -> str:
    """VLLM_MODEL_NAME, else the first model that the server names."""
    if VLLM_MODEL_NAME:
        return VLLM_MODEL_NAME
    try:
        return str(httpx.get(f"{base_url}/models", timeout=2).json()["data"][0]["id"])
    except (httpx.HTTPError, ValueError, LookupError):
        return "default"


if __name__ == "__main__":
    sys.exit(main())
