"""Webhooks: a real server calls a real receiver, whatever the end of a run."""

import asyncio
import hashlib
import hmac
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import httpx
import pytest
from langgraph_sdk.client import LangGraphClient

from tests.fakes.webhook_receiver import Call, WebhookReceiver
from tests.http.projects import project
from tests.http.test_runs import thread_of, until_status
from tests.server_process import ServerProcess
from tests.waiting import eventually

OPEN = {"url": {"disable_loopback": False, "require_https": False}}
HEADERS = {"x-hook": "token ${{ env.LG_WEBHOOK_TOKEN }}"}
FAST = {"SHUTDOWN_GRACE_SECONDS": "1"}
SLOW: dict[str, Any] = {"pause": 0.1, "rounds": 100}


@pytest.fixture(scope="module")
def calling(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server that may call this machine, and signs what it says."""
    folder = tmp_path_factory.mktemp("calling")
    config = project(folder, webhooks={**OPEN, "headers": HEADERS}, env={"LG_WEBHOOK_TOKEN": "tok"})
    serving = ServerProcess(folder, config=config, environ={**FAST, "WEBHOOK_SECRET": "key"})
    with serving.running():
        yield serving


@pytest.fixture
async def sdk(calling: ServerProcess) -> AsyncIterator[LangGraphClient]:
    async with calling.sdk() as client:
        yield client


@pytest.fixture
async def hook() -> AsyncIterator[WebhookReceiver]:
    async with WebhookReceiver() as receiver:
        yield receiver


async def one_call(hook: WebhookReceiver, path: str) -> Call:
    (call,) = await hook.called(path)
    return call


async def test_the_body_is_the_run_as_it_ended(sdk: LangGraphClient, hook: WebhookReceiver) -> None:
    thread_id = await thread_of(sdk)
    url = hook.url("/done")
    await sdk.runs.wait(thread_id, "steps", input={"log": []}, metadata={"m": 1}, webhook=url)
    call = await one_call(hook, "/done")
    (listed,) = await sdk.runs.list(thread_id)
    run: dict[str, Any] = {**listed}
    added = {"run_started_at", "run_ended_at", "webhook_sent_at", "values"}
    assert set(call.body) == {*run, *added}
    assert call.body["values"] == {"log": ["one", "two", "three"]}
    for name in ("run_id", "thread_id", "assistant_id", "status", "metadata", "kwargs", "created_at"):
        assert call.body[name] == run[name], name
    assert run["created_at"] <= call.body["run_started_at"] <= call.body["run_ended_at"]
    assert call.body["run_ended_at"] <= call.body["webhook_sent_at"]


async def test_headers_are_those_configured_and_a_signature(
    sdk: LangGraphClient, hook: WebhookReceiver
) -> None:
    await sdk.runs.wait(None, "steps", input={"log": []}, webhook=hook.url("/signed"))
    call = await one_call(hook, "/signed")
    assert call.method == "POST"
    assert call.headers["content-type"] == "application/json"
    assert call.headers["x-hook"] == "token tok"
    digest = hmac.new(b"key", call.raw, hashlib.sha256).hexdigest()
    assert call.headers["x-webhook-signature"] == f"sha256={digest}"


async def test_a_stateless_run_has_no_values(sdk: LangGraphClient, hook: WebhookReceiver) -> None:
    await sdk.runs.wait(None, "steps", input={"log": []}, webhook=hook.url("/stateless"))
    body = (await one_call(hook, "/stateless")).body
    assert (body["status"], body["values"]) == ("success", None)


async def test_a_failure_is_told(sdk: LangGraphClient, hook: WebhookReceiver) -> None:
    thread_id = await thread_of(sdk)
    url = hook.url("/failed")
    await sdk.runs.wait(thread_id, "failing", input={"log": []}, webhook=url, raise_error=False)
    body = (await one_call(hook, "/failed")).body
    assert body["status"] == "error"
    assert body["error"] == {"error": "ValueError", "message": "it went wrong"}
    assert body["values"] == {"log": ["first"]}


async def test_an_interrupt_is_a_success(sdk: LangGraphClient, hook: WebhookReceiver) -> None:
    thread_id = await thread_of(sdk)
    await sdk.runs.wait(thread_id, "interrupting", input={"log": []}, webhook=hook.url("/asks"))
    body = (await one_call(hook, "/asks")).body
    assert (body["status"], body["values"]) == ("success", {"log": ["prepared"]})
    assert "error" not in body
    assert "interrupts" not in body


@pytest.mark.parametrize(
    ("action", "status", "error"),
    [("interrupt", "interrupted", "UserInterrupt"), ("rollback", "rollback", "UserRollback")],
)
async def test_a_cancelled_run_calls(
    sdk: LangGraphClient, hook: WebhookReceiver, action: Any, status: str, error: str
) -> None:
    thread_id = await thread_of(sdk)
    run = await sdk.runs.create(thread_id, "slow", input=SLOW, webhook=hook.url(f"/{action}"))
    await until_status(sdk, thread_id, run["run_id"], "running")
    await sdk.runs.cancel(thread_id, run["run_id"], action=action)
    body = (await one_call(hook, f"/{action}")).body
    assert (body["run_id"], body["status"]) == (run["run_id"], status)
    assert body["error"]["error"] == error
    assert (body["values"] is None) == (action == "rollback")


@pytest.mark.parametrize(("strategy", "status"), [("interrupt", "interrupted"), ("rollback", "rollback")])
async def test_a_superseded_run_calls(
    sdk: LangGraphClient, hook: WebhookReceiver, strategy: Any, status: str
) -> None:
    thread_id = await thread_of(sdk)
    run = await sdk.runs.create(thread_id, "slow", input=SLOW, webhook=hook.url(f"/by-{strategy}"))
    await until_status(sdk, thread_id, run["run_id"], "running")
    await sdk.runs.wait(thread_id, "steps", input={"log": []}, multitask_strategy=strategy)
    body = (await one_call(hook, f"/by-{strategy}")).body
    assert (body["run_id"], body["status"]) == (run["run_id"], status)
    assert body["error"]["message"].endswith(f"(multitask_strategy={strategy})")


async def test_a_run_that_took_too_long_calls(
    server_factory: Callable[..., ServerProcess], tmp_path: Any, hook: WebhookReceiver
) -> None:
    environ = {**FAST, "BG_JOB_TIMEOUT_SECS": "1"}
    serving = server_factory(config=project(tmp_path / "project", webhooks=OPEN), environ=environ).start()
    async with serving.sdk() as client:
        await client.runs.create(await thread_of(client), "slow", input=SLOW, webhook=hook.url("/late"))
        body = (await one_call(hook, "/late")).body
    assert (body["status"], body["error"]["error"]) == ("timeout", "TimeoutError")
    assert body["values"]["log"]
    await asyncio.to_thread(serving.stop)


async def test_a_run_that_never_began_does_not_call(sdk: LangGraphClient, hook: WebhookReceiver) -> None:
    thread_id = await thread_of(sdk)
    run = await sdk.runs.create(thread_id, "steps", input={}, webhook=hook.url("/never"), after_seconds=60)
    await sdk.runs.cancel(thread_id, run["run_id"])
    await sdk.runs.wait(thread_id, "steps", input={"log": []}, webhook=hook.url("/later"))
    await hook.called("/later")
    assert hook.of("/never") == []


async def test_three_attempts_with_the_same_body(sdk: LangGraphClient, hook: WebhookReceiver) -> None:
    hook.answers["/shaky"] = [500, 429, 503, 200]
    await sdk.runs.wait(None, "steps", input={"log": []}, webhook=hook.url("/shaky"))
    calls = await hook.called("/shaky", 3)
    assert len({call.raw for call in calls}) == 1
    hook.answers["/gone"] = [404]
    await sdk.runs.wait(None, "steps", input={"log": []}, webhook=hook.url("/gone"))
    await hook.called("/gone")
    # Longer than any pause between attempts would have been.
    with pytest.raises(TimeoutError):
        await hook.called("/gone", 2, within=2.5)
    assert len(hook.of("/shaky")) == 3


async def test_a_redirect_is_followed_and_tokens_stay_with_their_host(
    sdk: LangGraphClient, hook: WebhookReceiver
) -> None:
    hook.answers["/moved"] = ["/here"]
    await sdk.runs.wait(None, "steps", input={"log": []}, webhook=hook.url("/moved"))
    here = await one_call(hook, "/here")
    assert here.headers["x-hook"] == "token tok"
    assert here.raw == hook.of("/moved")[0].raw
    hook.answers["/away"] = [hook.url("/there", "localhost")]
    await sdk.runs.wait(None, "steps", input={"log": []}, webhook=hook.url("/away"))
    there = await one_call(hook, "/there")
    assert "x-hook" not in there.headers
    assert there.body["status"] == "success"


async def test_a_redirect_may_not_lead_where_a_webhook_may_not(
    calling: ServerProcess, sdk: LangGraphClient, hook: WebhookReceiver
) -> None:
    hook.answers["/trap"] = ["http://169.254.169.254/latest"]
    await sdk.runs.wait(None, "steps", input={"log": []}, webhook=hook.url("/trap"))
    said = "Webhook not delivered: Webhook host blocked: blocked IP range"
    await eventually(lambda: said in calling.output(), "the redirect was not refused")


@pytest.mark.parametrize("kind", ["run", "stateless", "batch", "cron", "changed cron"])
async def test_a_webhook_into_the_server_itself_is_refused(server: ServerProcess, kind: str) -> None:
    body = {"assistant_id": "steps", "input": {}, "webhook": "http://127.0.0.1:1/x"}
    async with httpx.AsyncClient(base_url=server.url) as client:
        thread_id = (await client.post("/threads", json={})).json()["thread_id"]
        if kind == "changed cron":
            cron = {"assistant_id": "steps", "schedule": "0 0 1 1 *"}
            cron_id = (await client.post("/runs/crons", json=cron)).json()["cron_id"]
            answer = await client.patch(f"/runs/crons/{cron_id}", json={"webhook": body["webhook"]})
            await client.delete(f"/runs/crons/{cron_id}")
        elif kind == "batch":
            answer = await client.post("/runs/batch", json=[body])
        else:
            path = {"run": f"/threads/{thread_id}/runs", "stateless": "/runs", "cron": "/runs/crons"}[kind]
            answer = await client.post(
                path, json={**body, **({"schedule": "* * * * *"} if kind == "cron" else {})}
            )
    assert answer.status_code == 422
    assert answer.json() == {"detail": "Webhook host blocked: loopback IP range"}


async def test_a_run_whose_worker_died_calls_too(
    server_factory: Callable[..., ServerProcess], tmp_path: Any, hook: WebhookReceiver
) -> None:
    config = project(tmp_path / "project", webhooks={**OPEN, "allowed_fields": ["run_id", "status", "error"]})
    serving = server_factory(config=config, environ={"BG_JOB_MAX_RETRIES": "0"}).start()
    async with serving.sdk() as client:
        thread_id = await thread_of(client)
        run = await client.runs.create(thread_id, "slow", input=SLOW, webhook=hook.url("/lost"))
        await until_status(client, thread_id, run["run_id"], "running")
        await asyncio.to_thread(serving.kill_server)
        body = (await one_call(hook, "/lost")).body
    assert set(body) == {"run_id", "status", "error"}
    assert (body["run_id"], body["status"]) == (run["run_id"], "error")
    assert body["error"]["error"] == "WorkerLost"


async def test_a_silent_receiver_does_not_hold_up_the_end(
    server_factory: Callable[..., ServerProcess], tmp_path: Any, hook: WebhookReceiver
) -> None:
    serving = server_factory(config=project(tmp_path / "project", webhooks=OPEN), environ=FAST).start()
    hook.answers["/silent"] = [None]
    async with serving.sdk() as client:
        await client.runs.wait(None, "steps", input={"log": []}, webhook=hook.url("/silent"))
        await hook.called("/silent")
    began = time.monotonic()
    await asyncio.to_thread(serving.stop, 15.0)
    assert time.monotonic() - began < 8


async def test_webhooks_can_be_turned_off(
    server_factory: Callable[..., ServerProcess], tmp_path: Any, hook: WebhookReceiver
) -> None:
    config = project(tmp_path / "project", webhooks=OPEN, http={"disable_webhooks": True})
    serving = server_factory(config=config, environ=FAST).start()
    async with serving.sdk() as client:
        await client.runs.wait(None, "steps", input={"log": []}, webhook=hook.url("/off"))
    await asyncio.to_thread(serving.stop)
    assert hook.calls == []
