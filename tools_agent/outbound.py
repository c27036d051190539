"""Where the agent may send requests, and where the caller's token may go.

Addresses in an assistant's configuration come from users. As soon as a server knows its callers, such addresses may
not lead into its own network, and tokens go to the operator's hosts only; a server without sign-in is its owner's own.
"""

import asyncio
import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

import httpx
from langchain_core._security._exceptions import SSRFBlockedError
from langchain_core._security._policy import validate_url
from langchain_core._security._transport import SSRFSafeTransport

ANYWHERE = ("*",)
OPERATOR_SETTINGS = ("MCP_SERVER_URL", "RAG_API_URL")


class AddressRefused(ValueError):
    """An address that an assistant may not use here; the text says what the operator can do about it."""


@dataclass(frozen=True, slots=True)
class Outbound:
    """`allowed` and `token_hosts` are `host`, `host:port` or a network such as `10.0.0.0/8`; `*` stands for all."""

    allowed: tuple[str, ...]
    token_hosts: tuple[str, ...]

    def may_have_token(self, url: str) -> bool:
        """Whether the caller's own token may be sent to this address."""
        return _listed(url, self.token_hosts)

    def is_same_server(self, url: str, other: str) -> bool:
        """Whether two addresses are of one host and port."""
        return _host_and_port(url) == _host_and_port(other) != ""

    async def check(self, url: str) -> None:
        """Raises `AddressRefused`. Requests are guarded whether or not somebody asked before; this says it early."""
        if _listed(url, self.allowed):
            return
        try:
            await validate_url(url)
        except (SSRFBlockedError, ValueError) as error:
            raise AddressRefused(
                f"The address {url} may not be used from here ({error}): if it shall, the operator adds its host to "
                "OUTBOUND_ALLOW."
            ) from error

    def client(self, **options: Any) -> httpx.AsyncClient:
        """A client that fails with `httpx.ConnectError` where it may not go. The caller closes it."""
        if self.allowed == ANYWHERE:
            return httpx.AsyncClient(**options)
        return httpx.AsyncClient(transport=_Guard(self.allowed), **options)

    def model_client(self) -> httpx.AsyncClient | None:
        """The client for a model's `base_url`, shared by the runs of this event loop; None: the model's own."""
        if self.allowed == ANYWHERE:
            return None
        return _shared_client(self, asyncio.get_running_loop())


def outbound_for(caller_is_known: bool, environ: Mapping[str, str]) -> Outbound:
    """Reads OUTBOUND_ALLOW and TOKEN_FORWARD_HOSTS (comma-separated)."""
    allowed, token_hosts = _entries(environ, "OUTBOUND_ALLOW"), _entries(environ, "TOKEN_FORWARD_HOSTS")
    operators = tuple(_host_and_port(environ[name]) for name in OPERATOR_SETTINGS if environ.get(name))
    if "*" in allowed or not (allowed or caller_is_known):
        allowed = ANYWHERE
    else:
        allowed += operators
    if not token_hosts:
        token_hosts = operators if caller_is_known else ANYWHERE
    return Outbound(allowed, token_hosts)


class _Guard(httpx.AsyncBaseTransport):
    def __init__(self, allowed: tuple[str, ...]) -> None:
        self._allowed = allowed
        self._open = httpx.AsyncHTTPTransport()
        self._safe = SSRFSafeTransport()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if _listed(str(request.url), self._allowed):
            return await self._open.handle_async_request(request)
        try:
            return await self._safe.handle_async_request(request)
        except SSRFBlockedError as error:
            raise httpx.ConnectError(f"This address may not be used: {error}", request=request) from error

    async def aclose(self) -> None:
        await self._open.aclose()
        await self._safe.aclose()


@lru_cache(maxsize=4)
def _shared_client(outbound: Outbound, loop: asyncio.AbstractEventLoop) -> httpx.AsyncClient:
    # Connections belong to a loop. One client for all runs: each would otherwise open connections of its own.
    return outbound.client(timeout=httpx.Timeout(600, connect=10))


def _entries(environ: Mapping[str, str], name: str) -> tuple[str, ...]:
    return tuple(entry.strip().lower() for entry in environ.get(name, "").split(",") if entry.strip())


def _listed(url: str, hosts: tuple[str, ...]) -> bool:
    with_port = _host_and_port(url)
    host = with_port.rpartition(":")[0]
    return "*" in hosts or with_port in hosts or host in hosts or any(_within(host, entry) for entry in hosts)


def _within(host: str, network: str) -> bool:
    if "/" not in network:
        return False
    try:
        return ipaddress.ip_address(host) in ipaddress.ip_network(network, strict=False)
    except ValueError:
        # A name is not looked up: what it stands for may change between the look and the request.
        return False


def _host_and_port(url: str) -> str:
    try:
        parts = urlsplit(url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:
        # Not an address at all: no list holds it, and requests to it fail by themselves.
        return ""
    return f"{(parts.hostname or '').lower()}:{port}"
