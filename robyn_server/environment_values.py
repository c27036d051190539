"""Text of the environment as numbers, durations, words. Each reader raises `Wrong` with what it expected."""

import json
import re
from collections.abc import Callable
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any


class Wrong(Exception):
    """A value that cannot be read; its text says what was expected, as in "a whole number"."""


def text(value: str) -> str:
    """Any text."""
    return value


def path(value: str) -> Path:
    """A file or folder; `~` is the home folder."""
    return Path(value).expanduser()


def boolean(value: str) -> bool:
    """1/true/yes/on or 0/false/no/off."""
    word = value.strip().lower()
    if word in ("1", "true", "yes", "on"):
        return True
    if word in ("0", "false", "no", "off"):
        return False
    raise Wrong("1 or 0")


def whole(least: int, most: int | None = None) -> Callable[[str], int]:
    """Whole numbers within bounds."""
    expected = (
        f"a whole number of at least {least}" if most is None else f"a whole number from {least} to {most}"
    )

    def read(value: str) -> int:
        try:
            number = int(value)
        except ValueError:
            raise Wrong(expected) from None
        if number < least or (most is not None and number > most):
            raise Wrong(expected)
        return number

    return read


def seconds(value: str) -> timedelta:
    """A duration in seconds, fractions allowed."""
    try:
        duration = timedelta(seconds=float(value))
    except (ValueError, OverflowError):
        raise Wrong("a number of seconds") from None
    if duration < timedelta(0):
        raise Wrong("a number of seconds, not negative")
    return duration


def seconds_above_zero(value: str) -> timedelta:
    """A duration that something waits for again and again, hence not zero."""
    duration = seconds(value)
    if not duration:
        raise Wrong("a number of seconds above 0")
    return duration


def days_above_zero(value: str) -> timedelta:
    """A duration in days, fractions allowed."""
    try:
        duration = timedelta(days=float(value))
    except (ValueError, OverflowError):
        duration = timedelta(0)
    if duration <= timedelta(0):
        raise Wrong("a number of days above 0")
    return duration


def one_of(*words: str) -> Callable[[str], str]:
    """One of a few words, in any case."""
    by_folded = {word.lower(): word for word in words}

    def read(value: str) -> str:
        if value.strip().lower() not in by_folded:
            raise Wrong(f"one of {', '.join(words)}")
        return by_folded[value.strip().lower()]

    return read


def words(value: str) -> tuple[str, ...]:
    """Comma-separated words."""
    return tuple(word.strip() for word in value.split(",") if word.strip())


def lanes(value: str) -> tuple[tuple[str, int], ...]:
    """`code=4,maintenance=1`."""
    pairs = [word.partition("=") for word in words(value)]
    try:
        return tuple((name.strip(), whole(1)(count)) for name, _, count in pairs)
    except Wrong:
        raise Wrong("lane=slots pairs such as code=4,maintenance=1") from None


def api_keys(value: str) -> tuple[tuple[str, str, bool], ...]:
    """`<sha256 of the key, hex>:<user>[:admin],...` as (digest, user, admin)."""
    found = []
    for word in words(value):
        digest, _, user = word.partition(":")
        bare = user.removesuffix(":admin")
        if not re.fullmatch(r"[0-9a-fA-F]{64}", digest) or not bare:
            raise Wrong("<sha256 of the key, hex>:<user>[:admin] entries")
        found.append((digest.lower(), bare, bare != user))
    return tuple(found)


def aes_key(value: str) -> bytes:
    """The bytes of an AES key, as they stand."""
    key = value.encode()
    if len(key) not in (16, 24, 32):
        raise Wrong("16, 24 or 32 bytes long")
    return key


def address(value: str) -> str:
    """An IP address to listen on; names are not looked up, but for localhost."""
    host = "127.0.0.1" if value == "localhost" else value
    try:
        return str(ip_address(host.strip("[]")))
    except ValueError:
        raise Wrong("an IP address such as 127.0.0.1 or 0.0.0.0") from None


def prefix(value: str) -> str:
    """A path prefix: one slash in front, none behind."""
    bare = value.strip("/")
    return f"/{bare}" if bare else ""


def json_object(value: str) -> dict[str, Any]:
    """A JSON object."""
    try:
        found = json.loads(value)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise Wrong('a JSON object such as {"name": "value"}')
    return found


def postgres_uri(value: str) -> str:
    """The address of a PostgreSQL database; a driver's name in its scheme is allowed."""
    if not re.match(r"postgres(ql)?(\+\w+)?://", value):
        raise Wrong("an address such as postgresql://user:password@host/database")
    return value


def redis_uri(value: str) -> str:
    """The address of a Redis server."""
    if not value.startswith(("redis://", "rediss://", "unix://")):
        raise Wrong("an address such as redis://host:6379/0")
    return value
