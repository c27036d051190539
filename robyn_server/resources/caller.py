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
    encryption_context: JsonObject | None = None
    """What a project's encryption handlers are told of whose data it is."""

    def to_json(self) -> JsonObject:
        """The form kept on a run or cron; the token is left out."""
        kept: JsonObject = {
            "identity": self.identity,
            "display_name": self.display_name,
            "permissions": list(self.permissions),
            "user": self.user,
            "is_service": self.is_service,
        }
        if self.encryption_context is not None:
            kept["encryption_context"] = self.encryption_context
        return kept

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
            encryption_context=value.get("encryption_context"),
        )


ANONYMOUS = Caller("")
