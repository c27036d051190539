"""What the built-in authorization allows: everybody his own, and the system's assistants to all.

The owner stands in `metadata.owner`. It is stamped when something is created and again whenever its metadata
change, so no request can give a thing away or take one.

Of the store everything is allowed: the store itself shows everybody his own items only, in graphs as well.
"""

from collections.abc import Mapping
from typing import Any

from robyn_server.auth.interfaces import Resource
from robyn_server.errors import Forbidden
from robyn_server.resources.caller import Caller
from robyn_server.resources.metadata_filter import (
    EVERYTHING,
    AllOf,
    AnyOf,
    Equals,
    MetadataFilter,
    Passes,
)
from robyn_server.resources.types import JsonObject

CRUD = frozenset({"create", "read", "update", "delete", "search"})
ACTIONS: Mapping[str, frozenset[str]] = {
    "threads": CRUD | {"create_run"},
    "assistants": CRUD,
    "crons": CRUD,
    "store": frozenset({"put", "get", "search", "delete", "list_namespaces"}),
}


def _has_no_owner(metadata: Mapping[str, Any]) -> bool:
    return "owner" not in metadata


SYSTEM = AllOf((Equals("created_by", "system"), Passes(_has_no_owner)))
"""A user may write `created_by: system` into his own assistant; it then has an owner and stays his."""


class OwnersSeeTheirOwn:
    """The authorizer of the modes in which everybody sees his own; a service sees all."""

    async def authorize(
        self, caller: Caller, resource: Resource, action: str, value: JsonObject
    ) -> MetadataFilter:
        """See `interfaces.Authorizer`."""
        if caller.is_service:
            return EVERYTHING
        return owner_rule(caller.identity, resource, action, value)


def owner_rule(identity: str, resource: Resource, action: str, value: JsonObject) -> MetadataFilter:
    """What `identity` may touch; stamps `value`. Raises `Forbidden`, also for what is not in `ACTIONS`."""
    if not identity or action not in ACTIONS.get(resource, frozenset()):
        raise Forbidden()
    if resource == "store":
        return EVERYTHING
    if action in ("create", "create_run"):
        _stamp(value, identity)
    elif action == "update" and isinstance(value.get("metadata"), dict):
        _stamp(value, identity)
    if resource == "assistants" and action in ("read", "search"):
        return MetadataFilter({}, AnyOf((Equals("owner", identity), SYSTEM)))
    return MetadataFilter({"owner": identity})


def _stamp(value: JsonObject, identity: str) -> None:
    metadata = value.get("metadata")
    if not isinstance(metadata, dict):
        metadata = value["metadata"] = {}
    metadata["owner"] = identity
