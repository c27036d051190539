"""Calls the webhook of a run that has ended."""

import asyncio
import hashlib
import hmac
import logging
import random
from dataclasses import replace
from datetime import datetime

import httpx
import orjson

from robyn_server import __version__
from robyn_server.engine.hooks import RunHook
from robyn_server.engine.run_document import run_document
from robyn_server.engine.webhook_policy import WebhookPolicy
from robyn_server.errors import DomainError
from robyn_server.resources.clock import iso, now
from robyn_server.resources.run import Ending, Run
from robyn_server.worker.pinned_transport import PinnedTransport
from robyn_server.worker.webhook_options import WebhookOptions

logger = logging.getLogger(__name__)

ATTEMPTS = 3
FIRST_PAUSE = 0.5
"""Seconds; doubled for each further attempt, and up to half as much again by chance."""

TIMEOUT = httpx.Timeout(30, connect=5)
LONGEST_ATTEMPT = 30.0
MOST_REDIRECTS = 5
AT_ONCE = 256
"""Calls under way; others wait."""

SIGNATURE = "X-Webhook-Signature"
ROLLED_BACK = "rollback"
"""The status of a run whose row is gone; receivers alone see it."""


class WebhookSender(RunHook):
    """Sends in the background what runs ask for, whatever their end. A delivery that fails changes nothing."""

    def __init__(self, policy: WebhookPolicy, options: WebhookOptions, base_url: str) -> None:
        self._options = options
        self._base_url = base_url
        self._policy = policy
        self._clients: Clients | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._slots = asyncio.Semaphore(AT_ONCE)

    def finished(self, run: Run, ending: Ending, ended_at: datetime) -> None:
        """See `RunHook`."""
        if run.webhook is None or not self._options.enabled:
            return
        task = asyncio.create_task(self._deliver(run.webhook, run, ending, ended_at))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self, within: float) -> None:
        """Give what is under way so many seconds, then give it up."""
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=within)
            for task in late:
                task.cancel()
            if late:
                logger.warning("%d webhooks were not delivered before the end", len(late))
        if self._clients is not None:
            await self._clients.close()

    async def _deliver(self, url: str, run: Run, ending: Ending, ended_at: datetime) -> None:
        body = self._body(run, ending, ended_at)
        headers = {**self._options.headers, **self._signature(body), "content-type": "application/json"}
        pause = FIRST_PAUSE
        for attempt in range(1, ATTEMPTS + 1):
            try:
                async with self._slots, asyncio.timeout(LONGEST_ATTEMPT):
                    status = await self._send(url, body, headers)
                failure = f"status {status}" if status >= 400 else None
                final = status < 500 and status != 429
            except (httpx.TransportError, TimeoutError) as error:
                failure, final = type(error).__name__, False
            except (httpx.HTTPError, httpx.InvalidURL, DomainError) as error:
                failure, final = str(error), True
            if final or attempt == ATTEMPTS:
                break
            await asyncio.sleep(pause * random.uniform(1.0, 1.5))
            pause *= 2
        if failure is not None:
            logger.warning("Webhook not delivered: %s", failure, extra={"run_id": run.run_id})

    def _body(self, run: Run, ending: Ending, ended_at: datetime) -> bytes:
        """The run as it ended, with its values; made once, so that every attempt says the same."""
        values = None if ending.status is None or ending.state is None else ending.state.values
        document = {
            **run_document(replace(run, updated_at=ended_at), self._base_url),
            "status": ending.status or ROLLED_BACK,
            "run_started_at": None if run.started_at is None else iso(run.started_at),
            "run_ended_at": iso(ended_at),
            "webhook_sent_at": iso(now()),
            "values": None if values is None else orjson.Fragment(values),
        }
        if ending.error is not None:
            document["error"] = ending.error
        allowed = self._options.allowed_fields
        if allowed is not None:
            document = {name: value for name, value in document.items() if name in allowed}
        return orjson.dumps(document, option=orjson.OPT_NON_STR_KEYS)

    def _signature(self, body: bytes) -> dict[str, str]:
        secret = self._options.secret
        if secret is None:
            return {}
        return {SIGNATURE: f"sha256={hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()}"}

    async def _send(self, url: str, body: bytes, headers: dict[str, str]) -> int:
        """The status of the last answer. Redirects are checked like the first address."""
        if self._clients is None:
            self._clients = Clients(self._policy)
        if url.startswith("/"):
            return await self._clients.post_to_self(self._base_url + url, body, headers)
        return await self._clients.post(url, body, headers)


class Clients:
    """Posts, and reads no more than the status of the answer."""

    def __init__(self, policy: WebhookPolicy) -> None:
        agent = {"user-agent": f"robyn-agent-server/{__version__}"}
        self._client = httpx.AsyncClient(transport=PinnedTransport(policy), timeout=TIMEOUT, headers=agent)
        own = httpx.AsyncHTTPTransport()
        self._self = httpx.AsyncClient(transport=own, timeout=TIMEOUT, headers=agent)

    async def post(self, url: str, body: bytes, headers: dict[str, str]) -> int:
        """Raises what httpx raises, and `Unprocessable` for an address that is not allowed."""
        request = self._client.build_request("POST", url, content=body, headers=headers)
        first = request.url.host
        for _ in range(MOST_REDIRECTS + 1):
            response = await self._client.send(request, stream=True)
            await response.aclose()
            if response.next_request is None:
                return response.status_code
            request = response.next_request
            if request.url.host != first:
                # Configured headers are often tokens, meant for the host that was named.
                for name in headers.keys() - {"content-type"}:
                    request.headers.pop(name, None)
        raise httpx.TooManyRedirects("too many redirects")

    async def post_to_self(self, url: str, body: bytes, headers: dict[str, str]) -> int:
        """A call to this server, of which a redirect is not followed."""
        async with self._self.stream("POST", url, content=body, headers=headers) as response:
            return response.status_code

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()
        await self._self.aclose()
