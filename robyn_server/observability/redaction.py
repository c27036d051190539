"""Takes secrets out of what is logged: by exact names, and by the shape of values. Pure."""

import re
from collections.abc import Iterable, Mapping

from robyn_server.auth.secrets import SECRET_NAMES
from robyn_server.resources.types import Json

CREDENTIALS = frozenset({"authorization", "x-api-key"})
"""Headers that say who is calling: no log needs them."""

HIDDEN = "***"
SHAPES = re.compile(
    r"\beyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]+|\bsk-[\w-]{16,}|(?<=[?&]ticket=)[^&\s'\"]+|(?<=[?&]access_token=)[^&\s'\"]+"
)
"""A JSON web token; a model provider's key; what stands in an address to open a stream."""


class Redaction:
    """The rules for one server; `names` are those of SECRET_CONFIG_KEYS."""

    def __init__(self, names: Iterable[str] = ()) -> None:
        self._names = SECRET_NAMES | CREDENTIALS | frozenset(names)
        alternatives = "|".join(re.escape(name) for name in sorted(self._names, key=len, reverse=True))
        # A quoted name, a colon, then a quoted text or one flat object: how dicts and JSON look in a message.
        self._pairs = re.compile(
            rf"(?P<key>(?P<q>['\"])(?:{alternatives})(?P=q)\s*:\s*)"
            r"(?:'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"|\{[^{}]*\})"
        )

    def text(self, message: str) -> str:
        """A message without secrets."""
        return SHAPES.sub(HIDDEN, self._pairs.sub(rf"\g<key>'{HIDDEN}'", message))

    def value(self, value: Json, within: str = "") -> Json:
        """A JSON value without secrets; `within` is the key that it stands under."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            return {
                str(key): HIDDEN if self._is_secret(key, within) else self.value(inner, str(key))
                for key, inner in value.items()
            }
        if isinstance(value, list | tuple):
            return [self.value(inner, within) for inner in value]
        return value

    def _is_secret(self, key: object, within: str) -> bool:
        return key in self._names or (key == "token" and within == "langgraph_auth_user")
