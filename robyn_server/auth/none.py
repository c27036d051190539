"""Mode `none`: nobody is asked, everybody may do everything."""

from robyn_server.auth.interfaces import Credentials, Resource
from robyn_server.resources.caller import ANONYMOUS, Caller
from robyn_server.resources.metadata_filter import EVERYTHING, MetadataFilter
from robyn_server.resources.types import JsonObject


class NoAuth:
    """Every caller is the anonymous one."""

    mode = "none"

    async def authenticate(self, credentials: Credentials) -> Caller:
        """Always `ANONYMOUS`."""
        return ANONYMOUS

    async def authorize(
        self, caller: Caller, resource: Resource, action: str, value: JsonObject
    ) -> MetadataFilter:
        """Always everything."""
        return EVERYTHING

    async def close(self) -> None:
        """Nothing to let go of."""
