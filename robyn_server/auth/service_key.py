"""The operator's own keys: `x-auth-scheme: langsmith` with `x-api-key`, as platform scripts send them."""

import hashlib
import hmac
from collections.abc import Mapping, Sequence

from robyn_server.resources.types import JsonObject

STUDIO_IDENTITY = "langgraph-studio-user"


def studio_user() -> JsonObject:
    """What graphs see of the studio's user, as on the reference."""
    return {
        "kind": "StudioUser",
        "is_authenticated": False,
        "display_name": STUDIO_IDENTITY,
        "identity": STUDIO_IDENTITY,
        "permissions": [],
    }


class ServiceKeys:
    """Knows a service key when it sees one."""

    def __init__(self, keys: Sequence[str]) -> None:
        # Digests have one length, so comparing them says nothing of a key's length.
        self._digests = tuple(_digest(key) for key in keys if key)

    def asked_for(self, headers: Mapping[str, str]) -> bool:
        """Whether the request says that it comes with a service key."""
        return headers.get("x-auth-scheme", "").strip().lower() == "langsmith"

    def admits(self, headers: Mapping[str, str]) -> bool:
        """Whether it really does. `headers` have lower-case names."""
        if not self.asked_for(headers):
            return False
        given = _digest(headers.get("x-api-key", ""))
        found = False
        for digest in self._digests:
            found |= hmac.compare_digest(digest, given)
        return found


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode()).digest()
