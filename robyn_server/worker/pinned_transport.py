"""HTTP that connects only to addresses a policy has seen: nobody can answer one lookup and mean another."""

import httpx

from robyn_server.engine.webhook_policy import WebhookPolicy


class PinnedTransport(httpx.AsyncBaseTransport):
    """Looks each host up once, checks every address and connects to one of those, as the host that was asked for.

    Raises `Unprocessable` for addresses that are not allowed.
    """

    def __init__(self, policy: WebhookPolicy) -> None:
        self._policy = policy
        # A kept connection to an address would serve another host of the same address, certificate unseen.
        self._inner = httpx.AsyncHTTPTransport(limits=httpx.Limits(max_keepalive_connections=0))

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """See `httpx.AsyncBaseTransport`."""
        host, port = self._policy.host_and_port(str(request.url))
        failure: httpx.ConnectError | None = None
        for address in await self._policy.addresses(host, port):
            pinned = httpx.Request(
                request.method,
                request.url.copy_with(host=address),
                headers=request.headers,
                stream=request.stream,
                extensions={**request.extensions, "sni_hostname": request.url.host},
            )
            try:
                return await self._inner.handle_async_request(pinned)
            except httpx.ConnectError as error:
                failure = error
        raise failure or httpx.ConnectError(f"{host} has no address")

    async def aclose(self) -> None:
        """See `httpx.AsyncBaseTransport`."""
        await self._inner.aclose()
