"""Walks a server and prints what it sees: a user, an assistant, a thread, a streamed run, the thread's state.

    python test_robyn_manual.py [--require-answer]

ROBYN_URL (default http://127.0.0.1:8081) is the server; when it is not set and nothing answers there, one is started.
SUPABASE_URL, SUPABASE_KEY (anon) and SUPABASE_SECRET (service role) say where to sign in; without SUPABASE_URL that is
a stand-in. VLLM_BASE_URL (default http://localhost:7374/v1) and VLLM_MODEL_NAME choose a model server; when
VLLM_BASE_URL is not set and nothing answers there, that is a stand-in too, or for a server on another machine its own
model. What was started is ended at the end.

The exit code is 0 when everything answered as it should, also when the model did not; with --require-answer it is 2
without an answer that contains 4. It is 1 when the server itself fails.
"""

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

ROBYN_DEFAULT_URL = "http://127.0.0.1:8081"
VLLM_DEFAULT_URL = "http://localhost:7374/v1"

EMAIL, PASSWORD = "robyn-test@example.com", "robyn-test-password-1"
QUESTION = "What is 2 + 2? Answer with just the number."
SHOWN = 160
SECONDS = httpx.Timeout(10, read=120)
START_SECONDS = 60
ROOT = Path(__file__).resolve().parent


class Failed(Exception):
    """The walk ends here; the text says where and why."""


def main() -> int:
    """Walk; the exit code."""
    require_answer = "--require-answer" in sys.argv[1:]
    try:
        with places() as there:
            answer = walk(there)
    except (Failed, httpx.HTTPError) as error:
        print(f"❌ {type(error).__name__}: {error}")
        return 1
    if require_answer and "4" not in answer:
        print(f"❌ The model gave no answer that contains 4: {answer!r}")
        return 2
    print("✅ Test completed successfully!")
    return 0


@dataclass(frozen=True)
class Places:
    """Where everything is. `model` is empty for the server's own choice."""

    server: str
    supabase: str
    anon_key: str
    service_key: str
    model: str


@contextmanager
def places() -> Iterator[Places]:
    """What the environment names, else stand-ins, which end with the block. Raises `Failed`."""
    environ = os.environ
    with ExitStack() as started:
        server = environ.get("ROBYN_URL", "").rstrip("/")
        supabase, key = environ.get("SUPABASE_URL", "").rstrip("/"), environ.get("SUPABASE_KEY", "")
        secret = environ.get("SUPABASE_SECRET", "")
        if not supabase:
            supabase, key, secret = (
                started.enter_context(stand_in("fake_supabase")),
                "anon",
                "service-role-key",
            )
        found = server or (ROBYN_DEFAULT_URL if answers(f"{ROBYN_DEFAULT_URL}/ok") else "")
        model = environ.get("VLLM_BASE_URL", "") or (
            VLLM_DEFAULT_URL if answers(f"{VLLM_DEFAULT_URL}/models") else ""
        )
        if not model and (not found or urlsplit(found).hostname in ("127.0.0.1", "localhost", "::1")):
            model = started.enter_context(stand_in("fake_llm"))
        if not found:
            trusted = {
                "SUPABASE_URL": supabase,
                "SUPABASE_KEY": key,
                "OUTBOUND_ALLOW": urlsplit(model).netloc,
            }
            found = started.enter_context(own_server(trusted))
        yield Places(found, supabase, key, secret, model)


@contextmanager
def stand_in(name: str) -> Iterator[str]:
    """The address of one of our stand-ins, which prints it when it is ready."""
    command = [sys.executable, "-m", f"robyn_server.testing.{name}", "--port", "0"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            said = process.stdout.readline().split()
            if not said:
                raise Failed(f"the stand-in {name} did not start")
            print(f"   Started {name} at {said[-1]}")
            yield said[-1]
        finally:
            process.terminate()


@contextmanager
def own_server(environ: Mapping[str, str]) -> Iterator[str]:
    """A server on a free port with data of its own."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    url = f"http://127.0.0.1:{port}"
    with tempfile.TemporaryDirectory() as folder, (Path(folder) / "log").open("w+") as log:
        flags = ["--config", str(ROOT / "langgraph.json"), "--port", port, "--data-dir", f"{folder}/data"]
        command = [sys.executable, "-m", "robyn_server", "serve", *flags]
        with subprocess.Popen(
            command, cwd=ROOT, env={**os.environ, **environ}, stdout=log, stderr=log
        ) as process:
            try:
                deadline = time.monotonic() + START_SECONDS
                while not answers(f"{url}/ok"):
                    if process.poll() is not None or time.monotonic() > deadline:
                        log.seek(0)
                        raise Failed(f"the server did not start: {log.read()[-500:]}")
                    time.sleep(0.1)
                print(f"   Started a server at {url}")
                yield url
            finally:
                process.terminate()


def walk(there: Places) -> str:
    """All steps; the text of the model's answer, empty when there is none."""
    with signed_in(there) as server:
        assistant_id = create_assistant(server, there.model)
        thread_id = asked(server, "POST", "/threads", {})["thread_id"]
        print(f"✅ Created thread: {thread_id}")
        stream(server, thread_id, assistant_id)
        return show_state(server, thread_id)


@contextmanager
def signed_in(there: Places) -> Iterator[httpx.Client]:
    """A client of the server as the test user."""
    with httpx.Client(base_url=there.server, timeout=SECONDS) as server:
        print(f"✅ Robyn is up: {asked(server, 'GET', '/ok')}")
        server.headers["Authorization"] = f"Bearer {sign_in(there)}"
        yield server


def sign_in(there: Places) -> str:
    """Create the test user, if need be, and get a token for it."""
    with httpx.Client(base_url=f"{there.supabase}/auth/v1", timeout=SECONDS) as supabase:
        secret, key = there.service_key, there.anon_key
        as_admin = {"apikey": secret or key, "Authorization": f"Bearer {secret}"}
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
            headers={"apikey": key or secret},
        )
        if granted.is_error:
            raise Failed(f"Supabase gave no token ({granted.status_code}): {granted.text[:SHOWN]}")
        print("✅ Got a JWT")
        return str(granted.json()["access_token"])


def create_assistant(server: httpx.Client, base_url: str) -> str:
    """An assistant for the model server, or without a word about models."""
    configurable: dict[str, Any] = {"temperature": 0.0, "max_tokens": 100}
    if base_url:
        configurable |= {
            "model_name": "custom:",
            "base_url": base_url,
            "custom_model_name": model_at(base_url),
        }
        print(f"   Model: {configurable['custom_model_name']} at {base_url}")
    else:
        print("   Model: the server's own choice")
    body = {"graph_id": "agent", "name": "manual walk", "config": {"configurable": configurable}}
    assistant_id = asked(server, "POST", "/assistants", body)["assistant_id"]
    print(f"✅ Created assistant: {assistant_id}")
    return str(assistant_id)


def stream(server: httpx.Client, thread_id: str, assistant_id: str) -> list[str]:
    """One streamed run, each line as it comes; the names of its events."""
    body = {
        "assistant_id": assistant_id,
        "input": {"messages": [{"role": "user", "content": QUESTION}]},
        "stream_mode": ["values", "messages", "updates"],
    }
    events: list[str] = []
    print("\n--- SSE Events ---")
    with server.stream("POST", f"/threads/{thread_id}/runs/stream", json=body) as response:
        if response.is_error:
            response.read()
            raise Failed(f"the run was refused ({response.status_code}): {response.text[:SHOWN]}")
        for line in response.iter_lines():
            if line.startswith("event:"):
                events.append(line.removeprefix("event:").strip())
            if line.startswith(("event:", "data:")):
                print(line if len(line) <= SHOWN else f"{line[:SHOWN]}...", flush=True)
    print(f"\n--- End SSE ({len(events)} events) ---\n")
    return events


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
    """Whether somebody is there."""
    try:
        return httpx.get(url, timeout=2).is_success
    except httpx.HTTPError:
        return False


def model_at(base_url: str) -> str:
    """VLLM_MODEL_NAME, else the first model that the server names."""
    if name := os.environ.get("VLLM_MODEL_NAME"):
        return name
    try:
        return str(httpx.get(f"{base_url}/models", timeout=2).json()["data"][0]["id"])
    except (httpx.HTTPError, ValueError, LookupError):
        return "default"


if __name__ == "__main__":
    sys.exit(main())
