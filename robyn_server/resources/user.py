"""The user as handlers, factories and graphs see one."""

from typing import Any

from robyn_server.resources.types import Json


class User(dict[str, Any]):
    """What an authenticator returned: `user["role"]`, `user.get("role")` or `user.role`, and the attributes of the
    SDK's `BaseUser`. A dict, so that it is JSON wherever it goes."""

    @property
    def identity(self) -> str:
        """Who it is."""
        return str(self.get("identity", ""))

    @property
    def display_name(self) -> str:
        """The name to show, else the identity."""
        return str(self.get("display_name") or self.identity)

    @property
    def is_authenticated(self) -> bool:
        """True unless the authenticator said otherwise."""
        return bool(self.get("is_authenticated", True))

    @property
    def permissions(self) -> list[str]:
        """What the authenticator granted."""
        return list(self.get("permissions") or ())

    def __getattr__(self, name: str) -> Json:
        try:
            value = self[name]
        except KeyError:
            raise AttributeError(f"The user has no attribute '{name}'") from None
        return User(value) if isinstance(value, dict) else value

    def __repr__(self) -> str:
        """Without the token: objects like this one are printed in logs."""
        return f"User({ {name: value for name, value in self.items() if name != 'token'} })"
