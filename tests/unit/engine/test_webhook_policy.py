"""Where webhooks may go. The sentences are those of the reference."""

from typing import Any

import pytest

from robyn_server.engine.webhook_policy import NO_RELATIVE_URLS, WebhookPolicy
from robyn_server.errors import DomainError, StartupError


def policy(*, callers_are_known: bool = False, **url: Any) -> WebhookPolicy:
    return WebhookPolicy.from_config({"url": url} if url else {}, callers_are_known=callers_are_known)


async def refusal(rules: WebhookPolicy, url: str) -> str:
    with pytest.raises(DomainError) as refused:
        await rules.check(url)
    return refused.value.message


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("not a url", "Invalid webhook hostname ''"),
        ("http:///path", "Invalid webhook hostname ''"),
        ("http://[::1", "Invalid webhook hostname ''"),
        ("file:///etc/passwd", "Invalid webhook hostname ''"),
        ("mailto:a@b.c", "Invalid webhook hostname ''"),
        ("gopher://x/", "Webhook host blocked: scheme 'gopher' not allowed"),
        ("http://93.184.216.34:99999/", "Port out of range 0-65535"),
        ("x" * 5000, "Webhook URL too long"),
        ("/hook", NO_RELATIVE_URLS),
        ("//somewhere/hook", NO_RELATIVE_URLS),
        ("http://no-such-host.invalid/x", "Webhook host blocked: DNS resolution failed"),
        ("http://" + "a" * 70 + ".example/", "Webhook host blocked: DNS resolution failed"),
        ("http://exa mple/", "Webhook host blocked: DNS resolution failed"),
        ("http://LOCALHOST/x", "Webhook host blocked: localhost address"),
        ("http://host.docker.internal/", "Webhook host blocked: localhost address"),
        ("http://metadata.google.internal/", "Webhook host blocked: cloud metadata endpoint"),
        ("http://x.svc.cluster.local/", "Webhook host blocked: Kubernetes internal DNS"),
        ("http://100.100.100.200/", "Webhook host blocked: cloud metadata endpoint"),
        ("http://[fd00:ec2::254]/", "Webhook host blocked: cloud metadata endpoint"),
    ],
)
async def test_a_webhook_is_refused_with_the_references_sentence(url: str, said: str) -> None:
    assert await refusal(policy(), url) == said


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "2130706433", "0x7f.1", "017700000001"])
async def test_loopback_is_known_in_every_spelling(host: str) -> None:
    assert await refusal(policy(), f"http://{host}/") == "Webhook host blocked: loopback IP range"


@pytest.mark.parametrize(
    "host",
    [
        "169.254.169.254", "0.0.0.0", "224.0.0.1", "240.0.0.1", "192.0.2.1", "198.18.0.1", "198.51.100.7",
        "203.0.113.1", "192.0.0.1", "[::]", "[::1]", "[::ffff:127.0.0.1]", "[::ffff:10.0.0.1]", "[64:ff9b::7f00:1]",
        "[64:ff9b:1::1]", "[2002:7f00:1::]", "[2001::1]", "[fe80::1]", "[ff02::1]",
    ],
)  # fmt: skip
async def test_reserved_addresses_are_refused(host: str) -> None:
    assert await refusal(policy(), f"http://{host}/") == "Webhook host blocked: blocked IP range"


@pytest.mark.parametrize("host", ["10.0.0.1", "172.16.0.1", "192.168.1.1", "100.64.0.1", "[fc00::1]"])
async def test_private_addresses_are_for_servers_without_sign_in(host: str) -> None:
    url, said = f"http://{host}/", "Webhook host blocked: private IP range"
    await policy().check(url)
    assert await refusal(policy(disable_private_ips=True, require_https=False), url) == said
    assert await refusal(policy(callers_are_known=True), url) == said
    await policy(callers_are_known=True, disable_private_ips=False, require_https=False).check(url)


async def test_public_addresses_are_allowed() -> None:
    await policy().check("http://93.184.216.34/")
    await policy(callers_are_known=True).check("https://user:secret@93.184.216.34:8443/")


async def test_loopback_can_be_opened_and_nothing_more_with_it() -> None:
    rules = policy(disable_loopback=False, require_https=False)
    for url in ("/hook", "http://127.0.0.1:1/", "http://localhost/", "http://[::1]/"):
        await rules.check(url)
    assert await refusal(rules, "http://0.0.0.0/") == "Webhook host blocked: blocked IP range"


async def test_a_policy_asks_for_https_and_its_domains_and_ports() -> None:
    rules = policy(
        allowed_domains=["*.example.com", "example.org"], allowed_ports=[443, 8443], max_url_length=60
    )
    await rules.check("https://a.example.com/")
    await rules.check("https://EXAMPLE.org:8443/")
    assert await refusal(rules, "http://example.org/") == "Webhook must use https"
    assert await refusal(rules, "https://example.com/") == "Webhook domain not allowed"
    assert await refusal(rules, "https://notexample.com/") == "Webhook domain not allowed"
    assert await refusal(rules, "https://example.org:9/") == "Webhook port 9 not allowed"
    assert await refusal(rules, "https://example.org/" + "x" * 60) == "Webhook URL too long"


async def test_only_a_host_named_in_full_may_lie_anywhere() -> None:
    rules = policy(allowed_domains=["localhost", "*.localdomain"])
    assert await rules.addresses("localhost", 443)
    with pytest.raises(DomainError):
        await policy(allowed_domains=["*.0.0.1"]).addresses("127.0.0.1", 443)


@pytest.mark.parametrize("section", [{"url": ["x"]}, {"url": {"allowed_ports": ["many"]}}])
def test_a_section_that_cannot_be_read_ends_the_start(section: dict[str, Any]) -> None:
    with pytest.raises(StartupError):
        WebhookPolicy.from_config(section, callers_are_known=False)
