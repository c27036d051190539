"""Who asks. A caller travels inside the request and the run, never through a global."""

from dataclasses import dataclass, field

from robyn_server.resources.types import JsonObject


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody who calls.

    `identity` is "" for the anonymous caller of mode `none`. `user` is the whole object that an authenticator
    returned and that graphs see as `configurable.langgraph_auth_user` (None when nobody was asked). `token` is the
    caller's bearer token, a secret: it is passed to graphs that ask for it and never stored in clear.
    """

    identity: str
    display_name: str = ""
    permissions: tuple[str, ...] = ()
    user: JsonObject | None = None
    is_service: bool = False
    """The operator's own key or the platform's studio: owner filters do not apply."""
    token: str | None = field(default=None, repr=False)

    def to_json(self) -> JsonObject:
        """The form kept on a run or cron; the token is left out."""
        return {
            "identity": self.identity,
            "display_name": self.display_name,
            "permissions": list(self.permissions),
            "user": self.user,
            "is_service": self.is_service,
        }

    @classmethod
    def from_json(cls, value: JsonObject, token: str | None = None) -> "Caller":
        """The inverse of `to_json`."""
        return cls(
            identity=value["identity"],
            display_name=value["display_name"],
            permissions=tuple(value["permissions"]),
            user=value["user"],
            is_service=value["is_service"],
            token=token,
        )


ANONYMOUS = Caller("")
