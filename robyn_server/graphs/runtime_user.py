"""The user as a graph factory sees it: the attributes of the SDK's `BaseUser` and keys of its own."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from robyn_server.resources.types import Json


@dataclass(frozen=True, slots=True)
class RuntimeUser:
    """Wraps what an authenticator returned. Other keys are read as items or as attributes."""

    fields: Mapping[str, Json]

    @property
    def identity(self) -> str:
        """Who it is."""
        return str(self.fields.get("identity", ""))

    @property
    def display_name(self) -> str:
        """The name to show, else the identity."""
        return str(self.fields.get("display_name") or self.identity)

    @property
    def is_authenticated(self) -> bool:
        """True unless the authenticator said otherwise."""
        return bool(self.fields.get("is_authenticated", True))

    @property
    def permissions(self) -> list[str]:
        """What the authenticator granted."""
        return list(self.fields.get("permissions") or ())

    def __getitem__(self, key: str) -> Json:
        return self.fields[key]

    def __contains__(self, key: object) -> bool:
        return key in self.fields

    def __iter__(self) -> Iterator[str]:
        return iter(self.fields)

    def __getattr__(self, name: str) -> Json:
        try:
            return self.fields[name]
        except KeyError:
            raise AttributeError(f"The user has no {name!r}") from None


def user_from(configurable: Mapping[str, Any]) -> object | None:
    """The user of a run's configurable, None when nobody was asked."""
    user = configurable.get("langgraph_auth_user")
    return RuntimeUser(user) if isinstance(user, Mapping) else user
