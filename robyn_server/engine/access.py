"""Asks the authorizer, once for every (resource, action), on behalf of one caller."""

from robyn_server.auth.interfaces import Authorizer, Resource
from robyn_server.resources.caller import Caller
from robyn_server.resources.metadata_filter import EVERYTHING, MetadataFilter
from robyn_server.resources.types import JsonObject


class Access:
    """One caller's rights."""

    def __init__(self, authorizer: Authorizer, caller: Caller) -> None:
        self._authorizer = authorizer
        self.caller = caller

    async def check(self, resource: Resource, action: str, value: JsonObject) -> MetadataFilter:
        """The filter for what is touched; `value` may be changed in place by the authorizer (metadata stamped,
        namespace rewritten) and must be used as changed. Raises `Forbidden`. A service caller sees everything."""
        if self.caller.is_service:
            return EVERYTHING
        return await self._authorizer.authorize(self.caller, resource, action, value)
