"""Where a webhook may go: section `webhooks.url` of langgraph.json. Asked when a run is admitted and at each send."""

import asyncio
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from urllib.parse import SplitResult, urlsplit

from robyn_server.errors import InvalidRequest, StartupError, Unprocessable
from robyn_server.resources.types import Json

LONGEST_URL = 4096
LONGEST_LOOKUP = 10.0
"""Seconds for a name to be resolved."""

NO_RELATIVE_URLS = (
    "Loopback webhooks (relative URLs and localhost) are disabled by default. They bypass authentication via the "
    "in-process ASGI transport and can be abused to invoke internal routes as an unauthenticated caller. Set "
    "webhooks.url.disable_loopback to false (in langgraph.json or via LANGGRAPH_WEBHOOKS) to opt back in — only do so "
    "when you control the mounted routes."
)

LOCAL_NAMES = frozenset({"localhost", "localhost.localdomain", "host.docker.internal"})
METADATA_NAMES = frozenset(
    {"metadata.google.internal", "metadata.amazonaws.com", "metadata", "instance-data"}
)
METADATA_ADDRESSES = frozenset({"100.100.100.200", "fd00:ec2::254", "fd00:ec2::23"})
LOOPBACK_V4 = ip_network("127.0.0.0/8")
LOOPBACK_V6 = ip_address("::1")
PRIVATE = tuple(
    map(ip_network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7"))
)
NEVER = tuple(
    map(
        ip_network,
        (
            "0.0.0.0/8", "169.254.0.0/16", "192.0.0.0/24", "192.0.2.0/24", "198.18.0.0/15", "198.51.100.0/24",
            "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
            "::/96", "::ffff:0:0/96", "64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "2001::/32", "2001:db8::/32",
            "2002::/16", "fe80::/10", "fec0::/10", "ff00::/8",
        ),
    )
)  # fmt: skip
"""Link-local (cloud metadata), reserved, multicast, and the ways to write an IPv4 address as an IPv6 one."""


@dataclass(frozen=True, slots=True)
class WebhookPolicy:
    """The rules. `allowed_domains` are names, or `*.name` for everything below it; a host named in full is trusted
    wherever its address lies. Without `allowed_ports` every port will do."""

    require_https: bool = False
    allowed_domains: tuple[str, ...] = ()
    allowed_ports: frozenset[int] = frozenset()
    max_url_length: int = LONGEST_URL
    loopback: bool = False
    private: bool = True

    @classmethod
    def from_config(cls, section: Mapping[str, Json], *, callers_are_known: bool) -> "WebhookPolicy":
        """From the section `webhooks`. Private addresses are open by default only where nobody signs in: there every
        caller is the owner of the network. Raises `StartupError`."""
        url = section.get("url") or {}
        if not isinstance(url, dict):
            raise StartupError('"webhooks.url" in langgraph.json must be an object: correct it.')
        try:
            return cls(
                require_https=bool(url.get("require_https", "url" in section)),
                allowed_domains=tuple(str(name).lower() for name in url.get("allowed_domains") or ()),
                allowed_ports=frozenset(int(port) for port in url.get("allowed_ports") or ()),
                max_url_length=int(url.get("max_url_length", LONGEST_URL)),
                loopback=not url.get("disable_loopback", True),
                private=not url.get("disable_private_ips", callers_are_known),
            )
        except (TypeError, ValueError) as error:
            raise StartupError(
                f'"webhooks.url" in langgraph.json cannot be read ({error}): correct it.'
            ) from error

    async def check(self, url: str) -> None:
        """Whether a run may name this webhook. Raises `Unprocessable`, for a port out of range `InvalidRequest`."""
        if len(url) > self.max_url_length:
            raise Unprocessable("Webhook URL too long")
        if url.startswith("/"):
            if not self.loopback:
                raise Unprocessable(NO_RELATIVE_URLS)
            return
        host, port = self.host_and_port(url)
        if not self._is_named(host):
            await self.addresses(host, port)

    def host_and_port(self, url: str) -> tuple[str, int]:
        """The parts that say where an absolute url leads, checked as far as that goes without looking them up. Raises
        `Unprocessable`, for a port out of range `InvalidRequest`."""
        parts = _split(url)
        host = parts.hostname or ""
        if self.require_https and parts.scheme != "https":
            raise Unprocessable("Webhook must use https")
        named = self._is_named(host)
        if self.allowed_domains and not named:
            raise Unprocessable("Webhook domain not allowed")
        if not host:
            raise Unprocessable("Invalid webhook hostname ''")
        if parts.scheme not in ("http", "https"):
            raise _blocked(f"scheme '{parts.scheme}' not allowed")
        port = _port(parts)
        if self.allowed_ports and port not in self.allowed_ports:
            raise Unprocessable(f"Webhook port {port} not allowed")
        if not named:
            self._check_name(host)
        return host, port

    async def addresses(self, host: str, port: int) -> list[str]:
        """Where a host can be reached now: all its addresses, if every one is allowed. Raises `Unprocessable`."""
        try:
            async with asyncio.timeout(LONGEST_LOOKUP):
                found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise _blocked("DNS resolution failed") from error
        addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
        if not self._is_trusted(host):
            for address in addresses:
                reason = self._against(address)
                if reason is not None:
                    raise _blocked(reason)
        return addresses

    def _is_named(self, host: str) -> bool:
        return any(_names(domain, host) for domain in self.allowed_domains)

    def _is_trusted(self, host: str) -> bool:
        return host.lower() in self.allowed_domains

    def _check_name(self, host: str) -> None:
        name = host.lower()
        if name in LOCAL_NAMES and not self.loopback:
            raise _blocked("localhost address")
        if name in METADATA_NAMES:
            raise _blocked("cloud metadata endpoint")
        if name.endswith(".svc.cluster.local"):
            raise _blocked("Kubernetes internal DNS")

    def _against(self, text: str) -> str | None:
        """What speaks against an address."""
        address = ip_address(text.partition("%")[0])
        if str(address) in METADATA_ADDRESSES:
            return "cloud metadata endpoint"
        if address in LOOPBACK_V4 or address == LOOPBACK_V6:
            if self.loopback:
                return None
            return "loopback IP range" if isinstance(address, IPv4Address) else "blocked IP range"
        if _within(address, NEVER):
            return "blocked IP range"
        if not self.private and _within(address, PRIVATE):
            return "private IP range"
        return None


def _blocked(reason: str) -> Unprocessable:
    return Unprocessable(f"Webhook host blocked: {reason}")


def _names(domain: str, host: str) -> bool:
    name = host.lower()
    return name.endswith(domain[1:]) if domain.startswith("*.") else name == domain


def _split(url: str) -> SplitResult:
    try:
        return urlsplit(url)
    except ValueError as error:
        raise Unprocessable("Invalid webhook hostname ''") from error


def _port(parts: SplitResult) -> int:
    try:
        return parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError as error:
        raise InvalidRequest(str(error)) from error


def _within(address: IPv4Address | IPv6Address, networks: tuple[IPv4Network | IPv6Network, ...]) -> bool:
    return any(address in network for network in networks)
