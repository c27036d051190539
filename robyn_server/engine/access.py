"""Asks the authorizer, once for every (resource, action), on behalf of one caller."""

from robyn_server.auth.interfaces import Auth, Resource
from robyn_server.resources.caller import Caller
from robyn_server.resources.metadata_filter import EVERYTHING, MetadataFilter
from robyn_server.resources.types import JsonObject

OWNERS_MODES = ("supabase", "apikey")
"""The modes in which every store item has an owner. Otherwise there is nobody to tell apart, or the project's own
handlers say which namespaces are whose."""


class Access:
    """One caller's rights."""

    def __init__(self, auth: Auth, caller: Caller) -> None:
        self._auth = auth
        self.caller = caller

    async def check(self, resource: Resource, action: str, value: JsonObject) -> MetadataFilter:
        """The filter for what is touched; `value` may be changed in place by the authorizer (metadata stamped,
        namespace rewritten) and must be used as changed. Raises `Forbidden`. A service caller sees everything."""
        if self.caller.is_service:
            return EVERYTHING
        return await self._auth.authorize(self.caller, resource, action, value)

    @property
    def store_owner(self) -> str | None:
        """Whose items the caller sees in the store, None for all of them."""
        if self.caller.is_service or self._auth.mode not in OWNERS_MODES:
            return None
        return self.caller.identity
