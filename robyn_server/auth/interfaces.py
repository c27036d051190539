"""What the edge and the engine ask of authentication and authorization."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from robyn_server.resources.caller import Caller
from robyn_server.resources.metadata_filter import MetadataFilter
from robyn_server.resources.types import JsonObject

Resource = Literal["threads", "assistants", "crons", "store"]


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a request shows of its caller: all that an authenticator may look at."""

    method: str
    path: str
    path_params: Mapping[str, str]
    query: Mapping[str, Sequence[str]]
    headers: Mapping[str, str]
    """Lower-case names; repeated headers joined by ", "."""
    body: bytes = b""


class Authenticator(Protocol):
    """Says who is calling."""

    async def authenticate(self, credentials: Credentials) -> Caller:
        """Raises `Unauthenticated` or `Forbidden`."""


class Authorizer(Protocol):
    """Says what a caller may do."""

    async def authorize(
        self, caller: Caller, resource: Resource, action: str, value: JsonObject
    ) -> MetadataFilter:
        """The filter on the metadata of what is touched. It may change `value` in place (for example to stamp
        `value["metadata"]["owner"]` or to rewrite `value["namespace"]`); the changed value is what is used.
        Raises `Forbidden` (or another `DomainError` of the handler's choice)."""


class Auth(Authenticator, Authorizer, Protocol):
    """Both, for one mode."""

    mode: str
    """`none`, `supabase`, `apikey` or `custom`: for the banner and `/info`."""

    async def close(self) -> None: ...
